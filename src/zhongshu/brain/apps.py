"""The brain floor as a Django app."""

from django.apps import AppConfig


class BrainConfig(AppConfig):
    """Floor 4."""

    name = "zhongshu.brain"
    label = "brain"
    verbose_name = "brain"
