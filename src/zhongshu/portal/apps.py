"""The portal as a Django app."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The roof."""

    name = "zhongshu.portal"
    label = "portal"
    verbose_name = "portal"

    def ready(self) -> None:
        """Register the surfaces the portal owns."""
        from .render import specs  # noqa: F401
