"""Named points at which a test may kill the process: the only way to know that what was acknowledged survives."""

import os
import signal

__all__ = ["point"]

_wanted, _, _nth = os.environ.get("ZHONGSHU_KILL_AT", "").partition(":")
_left = int(_nth or 1)


def point(name: str) -> None:
    """Kill this process with SIGKILL at the n-th passing of `name` when the environment says `ZHONGSHU_KILL_AT=name:n`; otherwise do nothing."""
    global _left
    if name == _wanted:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
