"""The security floor as a Django app."""

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    """Floor 0."""

    name = "zhongshu.security"
    label = "security"
    verbose_name = "security"

    def ready(self) -> None:
        """Connect the trail to the kernel's audit port and let the worker seal it."""
        from zhongshu.kernel.job import tick
        from zhongshu.kernel.record import AUDIT

        from .audit.seal import seal_due
        from .audit.sink import TrailSink

        AUDIT.connect(TrailSink())
        tick("security.seal", every_s=1.0)(lambda: seal_due() > 0)
