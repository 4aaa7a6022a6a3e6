"""The kernel as a Django app."""

from django.apps import AppConfig


class KernelConfig(AppConfig):
    """Floor -1."""

    name = "zhongshu.kernel"
    label = "kernel"
    verbose_name = "kernel"

    def ready(self) -> None:
        """Register the spec of every record kind; all models are loaded by now. Whoever shows records is woken after each write."""
        from .derive import register_kinds
        from .event.wake import RecordsWake
        from .record import WAKE

        WAKE.connect(RecordsWake())

        register_kinds()
