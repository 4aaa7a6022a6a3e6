"""The brain floor as a Django app."""

from django.apps import AppConfig


class BrainConfig(AppConfig):
    """Floor 4."""

    name = "zhongshu.brain"
    label = "brain"
    verbose_name = "brain"

    def ready(self) -> None:
        """Declare the floor's jobs."""
        from .indicator import compute  # noqa: F401
