"""The security floor as a Django app."""

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    """Floor 0."""

    name = "zhongshu.security"
    label = "security"
    verbose_name = "security"

    def ready(self) -> None:
        """Connect the trail to the kernel's audit port."""
        from zhongshu.kernel.record import AUDIT

        from .audit.sink import TrailSink

        AUDIT.connect(TrailSink())
