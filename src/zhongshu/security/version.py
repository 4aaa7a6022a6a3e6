"""The version of all rights: a change anywhere is seen by every process within a second."""

import time

from django.db import models, transaction

from zhongshu.kernel.record import uuid7

__all__ = ["RIGHTS_KINDS", "RightsState", "get_rights_version", "note_rights_change"]

RIGHTS_KINDS = frozenset({"security.Role", "security.Grant", "security.User", "security.Post", "security.Organisation", "security.Token", "kernel.Division"})
POLL_S = 0.5
_seen: tuple[float, str] = (float("-inf"), "")


class RightsState(models.Model):
    """One row: a value that is new after every change of rights, people, posts or trees."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    version = models.CharField(max_length=36)


def note_rights_change() -> None:
    """Set a new version inside the open transaction; this process forgets what it saw once that is committed."""
    RightsState.objects.update_or_create(pk=1, defaults={"version": str(uuid7())})
    transaction.on_commit(_forget)


def get_rights_version() -> str:
    """Return the version, read from the database at most twice a second."""
    global _seen
    now = time.monotonic()
    if now - _seen[0] >= POLL_S:
        _seen = (now, RightsState.objects.filter(pk=1).values_list("version", flat=True).first() or "")
    return _seen[1]


def _forget() -> None:
    global _seen
    _seen = (float("-inf"), "")
