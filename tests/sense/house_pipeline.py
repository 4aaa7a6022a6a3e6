"""The pipeline (or, with `maintain`, the lake's maintenance in a loop) as its own process, for the kill test."""

import signal
import sys
import threading
import time
from pathlib import Path

from zhongshu.kernel.lake import Lake, LakeBusy, Maintenance, maintain_lake
from zhongshu.sense.pipeline import PipelineSettings, run


def main() -> None:
    home, what = Path(sys.argv[1]), sys.argv[2]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print("up", flush=True)
    if what == "pipeline":
        run(PipelineSettings(home, max_wait_s=0.02), stop)
        return
    lake = Lake(home / "lake")
    while not stop.wait(0.05):
        try:
            maintain_lake(lake, time.time_ns() // 1000, Maintenance(many=4, keep_files_s=5, keep_commits_s=5))
        except LakeBusy:
            continue


if __name__ == "__main__":
    main()
