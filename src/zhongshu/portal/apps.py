"""The portal as a Django app."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The roof."""

    name = "zhongshu.portal"
    label = "portal"
    verbose_name = "portal"

    def ready(self) -> None:
        """Register the surfaces, panels and indicators the portal owns."""
        from .desk import air, case, event, thing, words  # noqa: F401
        from .render import specs  # noqa: F401
        from .screen import vitals  # noqa: F401
