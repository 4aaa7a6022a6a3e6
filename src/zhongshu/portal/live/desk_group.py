"""One person's desks: which lists to ask for again, and how much waits."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhongshu.kernel.derive import list_kinds
from zhongshu.security.access import scope_for
from zhongshu.work.case import list_todo

from .client import Client
from .events import encode_event

__all__ = ["DeskGroup", "list_topics"]


def list_topics(user: Any) -> frozenset[str]:
    """Return the kinds of which the user may see anything at all."""
    return frozenset(kind.name for kind in list_kinds() if scope_for(user, kind, "view"))


class DeskGroup:
    """All desks of one user in one language. Events name kinds, never rows: the page asks again, and gets what the rights then allow."""

    def __init__(self, name: str, user: Any) -> None:
        self.name, self.user = name, user
        self.clients: set[Client] = set()
        self.topics = list_topics(user)
        self._number = 0
        self._todo = len(list_todo(user))

    @property
    def id(self) -> str:
        """The id of the present state."""
        return f"{self.name}-{self._number}"

    def build_snapshot(self) -> list[bytes]:
        """Return the counts; what changed before the stream was open is asked for again under the topic `all`."""
        return [encode_event("counts", {"todo": self._todo}), encode_event("changed", {"topic": "all"}, self.id)]

    def get_things_text(self) -> str:
        """Desks say nothing about things."""
        return ""

    def look(self, touched: set[str], changed: NDArray[np.int64]) -> list[bytes]:
        """Return which topics the user may see were touched, and new counts."""
        topics = self.topics if "*" in touched else self.topics & touched
        made = [self._say("changed", {"topic": topic}) for topic in _in_order(topics)]
        if "work.Case" in topics:
            todo = len(list_todo(self.user))
            if todo != self._todo:
                self._todo = todo
                made.append(self._say("counts", {"todo": todo}))
        return made

    def compute_lateness(self) -> float:
        """Desks hear everything by topic."""
        return 0.0

    def look_again(self) -> list[bytes]:
        """Nothing is left to look at."""
        return []

    def _say(self, name: str, data: Any) -> bytes:
        self._number += 1
        return encode_event(name, data, self.id)


def _in_order(topics: Iterable[str]) -> list[str]:
    return sorted(topics)
