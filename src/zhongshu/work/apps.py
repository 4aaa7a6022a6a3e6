"""The work floor as a Django app."""

from django.apps import AppConfig


class WorkConfig(AppConfig):
    """Floor 5."""

    name = "zhongshu.work"
    label = "work"
    verbose_name = "work"

    def ready(self) -> None:
        """Declare facts, subscribers and jobs of this floor."""
        from .case import deadline, events, figures, incoming, rights  # noqa: F401
