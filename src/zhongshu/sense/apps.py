"""The sense floor as a Django app."""

from django.apps import AppConfig


class SenseConfig(AppConfig):
    """Floor 2."""

    name = "zhongshu.sense"
    label = "sense"
    verbose_name = "sense"

    def ready(self) -> None:
        """Declare the facts of this floor."""
        from .device import publish  # noqa: F401
        from .observe import band, events, facts, jobs  # noqa: F401
