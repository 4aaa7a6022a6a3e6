"""The environment pack as a Django app."""

from django.apps import AppConfig


class EnvironmentConfig(AppConfig):
    """Ecology and environment."""

    name = "zhongshu.packs.environment"
    label = "environment"
    verbose_name = "environment"

    def ready(self) -> None:
        """Declare jobs and indicators; feed, rules and case kinds come with the models."""
        from . import air_indicators, air_job  # noqa: F401
