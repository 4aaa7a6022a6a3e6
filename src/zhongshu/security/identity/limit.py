"""What an API token narrows its user to."""

from dataclasses import dataclass

__all__ = ["Limit"]


@dataclass(frozen=True)
class Limit:
    """A role and verbs that a token's user is narrowed to; empty means no narrowing."""

    role: str = ""
    verbs: frozenset[str] = frozenset()
