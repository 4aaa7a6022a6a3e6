"""The brain floor as a Django app."""

from django.apps import AppConfig


class BrainConfig(AppConfig):
    """Floor 4."""

    name = "zhongshu.brain"
    label = "brain"
    verbose_name = "brain"

    def ready(self) -> None:
        """Declare facts, subscribers and jobs of this floor."""
        from . import jobs  # noqa: F401
        from .fuse import alarms, events  # noqa: F401
        from .indicator import compute  # noqa: F401
