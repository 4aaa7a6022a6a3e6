"""Pulses: what each process says of itself, one small file each, replaced as a whole."""

import json
import os
import time
from pathlib import Path
from typing import Any

__all__ = ["read_pulses", "write_pulse"]


def write_pulse(run_dir: Path, name: str, figures: dict[str, Any]) -> None:
    """Replace `run/<name>.json` with figures, the process id and the time."""
    run_dir.mkdir(parents=True, exist_ok=True)
    partial = run_dir / f".{name}.{os.getpid()}.tmp"
    partial.write_text(json.dumps({"pid": os.getpid(), "at": time.time(), **figures}), encoding="utf-8")
    partial.replace(run_dir / f"{name}.json")


def read_pulses(run_dir: Path) -> dict[str, dict[str, Any]]:
    """Return process → figures, with `age_s` since it last said something; unreadable files are left out."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(run_dir.glob("*.json")):
        try:
            figures = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(figures, dict):
            figures["age_s"] = time.time() - file.stat().st_mtime
            found[file.stem] = figures
    return found
