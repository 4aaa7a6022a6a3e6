"""Starting the processes of one installation, and starting again those that die."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Child", "supervise"]

LONGEST_PAUSE_S = 30.0
GRACE_S = 20.0


@dataclass
class Child:
    """One process to keep alive; a quick death makes the pause before the next start longer."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    pause_s: float = 0.5

    def start(self, run_dir: Path) -> None:
        """Start the process and leave its pid in `run/<name>.pid`."""
        self.process = subprocess.Popen(self.command, env={**os.environ, **self.environment})  # noqa: S603 our own interpreter and module
        self.started_at = time.monotonic()
        run_dir.joinpath(f"{self.name}.pid").write_text(str(self.process.pid), encoding="ascii")

    def check(self, run_dir: Path) -> None:
        """Start the process again when it has ended and its pause is over."""
        if self.process is None or self.process.poll() is None:
            return
        lived = time.monotonic() - self.started_at
        self.pause_s = 0.5 if lived > 60 else min(self.pause_s * 2, LONGEST_PAUSE_S)
        print(f"{self.name} ended with {self.process.returncode} after {lived:.0f} s; starting again in {self.pause_s:.0f} s", file=sys.stderr, flush=True)
        time.sleep(self.pause_s)
        self.restarts += 1
        self.start(run_dir)


def command_for(name: str) -> list[str]:
    """Return the command that runs one process of this installation."""
    return [sys.executable, "-m", "zhongshu", "run", name]


def supervise(names: Sequence[str], run_dir: Path, stop: threading.Event, others: Sequence[Child] = ()) -> None:
    """Run the named processes, and `others` after them, until `stop`; then end them in reverse order, politely first."""
    run_dir.mkdir(parents=True, exist_ok=True)
    children = [*(Child(name, command_for(name)) for name in names), *others]
    for child in children:
        child.start(run_dir)
    while not stop.wait(0.5):
        for child in children:
            child.check(run_dir)
    for child in reversed(children):
        _end(child)


def _end(child: Child) -> None:
    if child.process is None or child.process.poll() is not None:
        return
    child.process.send_signal(signal.SIGTERM)
    try:
        child.process.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        child.process.kill()
