"""A process with other code than the database was migrated for refuses to start, and says which part differs."""

from zhongshu.kernel.record.change import transaction
from zhongshu.kernel.registry import registry

from .state import RegistryState

__all__ = ["DigestMismatch", "check_digests", "note_digests"]


class DigestMismatch(RuntimeError):
    """The code of this process and the migrated database do not belong together."""


def note_digests() -> None:
    """Store the registry digest of every app and pack; called by `zhongshu migrate`."""
    with transaction():
        RegistryState.objects.all().delete()
        RegistryState.objects.bulk_create(RegistryState(part=part, digest=digest) for part, digest in registry.digests().items())


def check_digests() -> None:
    """Raise `DigestMismatch` naming the parts that differ from what was migrated."""
    stored = dict(RegistryState.objects.values_list("part", "digest"))
    now = registry.digests()
    differ = sorted(part for part in stored.keys() | now.keys() if stored.get(part) != now.get(part))
    if differ:
        raise DigestMismatch(f"this process has other code for {', '.join(differ)} than the database was migrated for; run 'zhongshu migrate'")
