"""What arrived, per source: counted in the gateway, written to `run/gateway.json` each second, read by the administrator's pages."""

import json
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from zhongshu.kernel.pulse import write_pulse

__all__ = ["GatewayCounters", "SourceCounters", "read_counters"]

NAME = "gateway"
MAX_STRANGERS = 1000
"""Unknown sources that are counted by name; further ones are counted together, so that nobody can fill the memory by inventing names."""

REST = "(others)"


@dataclass(slots=True)
class SourceCounters:
    """Totals of one source since it was first seen.

    `unpromised` counts messages that were taken without an acknowledgement (MQTT QoS 0, HJ 212 without the wish for an answer).
    """

    frames: int = 0
    readings: int = 0
    repeated: int = 0
    unpromised: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    forgiven: Counter[str] = field(default_factory=Counter)
    last_seen_us: int = 0
    address: str = ""
    open: int = 0
    is_known: bool = True


class GatewayCounters:
    """All counters of one gateway; kept over a restart by reading the file that the last run left."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self.sources: dict[str, SourceCounters] = {}
        self._strangers = 0
        self.connections = self.turned_away = self.bytes = 0
        for name, values in read_counters(run_dir).get("sources", {}).items():
            values |= {"refused": Counter(values["refused"]), "forgiven": Counter(values["forgiven"]), "open": 0}
            self.sources[name] = SourceCounters(**values)
            self._strangers += not self.sources[name].is_known

    def of(self, source: str, *, is_known: bool = True) -> SourceCounters:
        """Return the counters of a source, made at its first frame."""
        found = self.sources.get(source)
        if found is not None:
            found.is_known = is_known
            return found
        if not is_known:
            if self._strangers >= MAX_STRANGERS:
                return self.sources.setdefault(REST, SourceCounters(is_known=False))
            self._strangers += 1
        return self.sources.setdefault(source, SourceCounters(is_known=is_known))

    def write(self, **figures: Any) -> None:
        """Replace the file at once with the totals and the given figures of the process."""
        totals = {"connections": self.connections, "turned_away": self.turned_away, "bytes": self.bytes}
        write_pulse(self._run_dir, NAME, {**totals, **figures, "sources": {name: _as_json(counters) for name, counters in self.sources.items()}})


def _as_json(counters: SourceCounters) -> dict[str, Any]:
    return {f.name: getattr(counters, f.name) for f in fields(counters)}


def read_counters(run_dir: Path) -> dict[str, Any]:
    """Return what the gateway last wrote; an empty dict when there is nothing to read."""
    try:
        found = json.loads((run_dir / f"{NAME}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
