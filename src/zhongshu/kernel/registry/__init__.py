"""What is known after start: kinds and names declared as code, frozen, with a digest."""

from .registry import Registry, RegistryError, registry

__all__ = ["Registry", "RegistryError", "registry"]
