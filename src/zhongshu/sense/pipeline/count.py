"""What the pipeline did, for people and metrics: plain numbers since the start, in `run/pipeline.json`."""

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Counts"]

_MOST_KEYS = 2000


@dataclass
class Counts:
    """Totals since this process started. After a restart a batch that was under way is counted again; the lake is exact, these are not."""

    started_at_us: int
    rows: int = 0
    new: int = 0
    duplicates: int = 0
    corrections: int = 0
    late: int = 0
    out_of_range: int = 0
    texts: int = 0
    frames: int = 0
    alarms: int = 0
    batches: int = 0
    unreadable: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    refused_frames: Counter[str] = field(default_factory=Counter)
    """By `connection|reason`."""

    def add_refused(self, connection: str, reason: str, count: int) -> None:
        """Count refused frames; beyond a bound of distinct keys they go to `…|other`."""
        key = f"{connection}|{reason}"
        self.refused_frames[key if key in self.refused_frames or len(self.refused_frames) < _MOST_KEYS else "|other"] += count

    def write(self, file: Path, **figures: Any) -> None:
        """Replace the counter file atomically; `figures` are added (backlog, delay)."""
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.{os.getpid()}")
        new.write_text(json.dumps({**vars(self), **figures}), encoding="utf-8")
        new.replace(file)
