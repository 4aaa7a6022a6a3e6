"""The ability floor as a Django app."""

from django.apps import AppConfig


class AbilityConfig(AppConfig):
    """Floor 1."""

    name = "zhongshu.ability"
    label = "ability"
    verbose_name = "ability"

    def ready(self) -> None:
        """Register the surface this floor owns: layers of the map."""
        from .geo import layer  # noqa: F401
