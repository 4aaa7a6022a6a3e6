"""`python -m zhongshu.demo.simulate <plan file>`: plays a plan until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from .run import run_plan


async def _main(path: Path) -> None:
    task = asyncio.create_task(run_plan(path))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m zhongshu.demo.simulate <plan file>")
    asyncio.run(_main(Path(sys.argv[1])))
