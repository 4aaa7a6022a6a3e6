"""Ports: a need declared on a lower floor, met by a higher one, denied until somebody does."""

from typing import Generic, TypeVar

__all__ = ["Port", "PortError", "list_ports"]

T = TypeVar("T")
_ports: dict[str, "Port[object]"] = {}


class PortError(RuntimeError):
    """A port was used that nobody implements, or implemented twice."""


class Port(Generic[T]):
    """A named hole of protocol `T` with exactly one implementation, or a stated default."""

    def __init__(self, name: str, default: T | None = None) -> None:
        if name in _ports:
            raise PortError(f"port {name} is declared twice")
        self.name = name
        self._default = default
        self._adapter: T | None = None
        _ports[name] = self  # type: ignore[assignment]

    def connect(self, adapter: T) -> T:
        """Implement the port; called once, when the implementing floor's app is ready."""
        if self._adapter is not None and self._adapter is not adapter:
            raise PortError(f"port {self.name} is implemented twice")
        self._adapter = adapter
        return adapter

    def get(self) -> T:
        """Return the implementation; raises `PortError` where there is none and no default."""
        found = self._adapter if self._adapter is not None else self._default
        if found is None:
            raise PortError(f"nobody implements the port {self.name}")
        return found


def list_ports() -> dict[str, bool]:
    """Tell for every declared port whether somebody implements it."""
    return {name: port._adapter is not None for name, port in sorted(_ports.items())}
