"""The kernel as a Django app."""

from django.apps import AppConfig


class KernelConfig(AppConfig):
    """Floor -1."""

    name = "zhongshu.kernel"
    label = "kernel"
    verbose_name = "kernel"

    def ready(self) -> None:
        """Register the spec of every record kind; all models are loaded by now."""
        from .derive import register_kinds

        register_kinds()
