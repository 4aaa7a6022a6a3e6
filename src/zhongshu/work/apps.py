"""The work floor as a Django app."""

from django.apps import AppConfig


class WorkConfig(AppConfig):
    """Floor 5."""

    name = "zhongshu.work"
    label = "work"
    verbose_name = "work"
