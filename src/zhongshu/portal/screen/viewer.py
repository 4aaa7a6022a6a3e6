"""Whose eyes: the rights that decide what the screen shows, and the language."""

from dataclasses import dataclass
from typing import Any, Self

from zhongshu.security.access import Scope, scope_for

__all__ = ["Viewer"]


@dataclass(frozen=True)
class Viewer:
    """Rights to look, per kind, and a language; two people with equal rights and one language are one viewer, and share every event."""

    language: str
    division: Scope
    thing: Scope
    stream: Scope
    alarm: Scope
    case: Scope
    station: Scope

    @classmethod
    def of(cls, user: Any, language: str) -> Self:
        """Return the viewer a user is now."""
        kinds = ("kernel.Division", "sense.Thing", "sense.Stream", "sense.Alarm", "work.Case", "environment.AirStation")
        return cls(language, *(scope_for(user, kind, "view") for kind in kinds))

    def __bool__(self) -> bool:
        """Whether there is anything to show at all: without a division there is no map."""
        return bool(self.division)
