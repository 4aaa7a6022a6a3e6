"""The portal floor as a Django app."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Floor roof."""

    name = "zhongshu.portal"
    label = "portal"
    verbose_name = "portal"
