"""Ticks: short work the worker does again and again, in small transactions of its own."""

from collections.abc import Callable
from dataclasses import dataclass

from zhongshu.kernel.registry import registry

__all__ = ["Tick", "tick"]


@dataclass(frozen=True)
class Tick:
    """A named piece of short work; `work` returns whether there was anything to do (then it is called again at once)."""

    name: str
    work: Callable[[], bool]
    every_s: float

    def digest_text(self) -> str:
        """Return what must be equal in every process."""
        return str(self.every_s)


def tick(name: str, every_s: float) -> Callable[[Callable[[], bool]], Callable[[], bool]]:
    """Declare that the worker calls the decorated function at least every `every_s` seconds; one call must take well under a second."""

    def declare(work: Callable[[], bool]) -> Callable[[], bool]:
        registry.add("tick", name, Tick(name, work, every_s))
        return work

    return declare
