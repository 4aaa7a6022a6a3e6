"""Starting Django once, with every declaration made and the registry frozen."""

import os

import django

from zhongshu.kernel.registry import registry

__all__ = ["boot"]

_done = False


def boot() -> None:
    """Load settings and apps (each app declares what it has when it is ready), then freeze the registry; later calls do nothing."""
    global _done
    if _done:
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhongshu.config.settings")
    django.setup()
    registry.freeze()
    _done = True
