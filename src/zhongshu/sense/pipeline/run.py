"""The pipeline as a process."""

import threading
import time

from zhongshu.sense.pipeline.pipeline import Pipeline, PipelineSettings

__all__ = ["run"]

_COUNT_EVERY_S = 1.0


def run(settings: PipelineSettings, stop: threading.Event) -> None:
    """Run until `stop` is set. Under load step follows step with as much as waits (up to `max_bytes`); otherwise one every `max_wait_s`."""
    pipeline = Pipeline(settings)
    counted = 0.0
    try:
        while not stop.is_set():
            began = time.monotonic()
            more = pipeline.step()
            now = time.monotonic()
            if now - counted >= _COUNT_EVERY_S:
                pipeline.write_counts()
                counted = now
            behind = more and any(reader.figures().bytes > settings.max_bytes // 4 and reader.figures().entries for reader in pipeline._readers.values())
            if not behind:
                stop.wait(max(0.0, settings.max_wait_s - (now - began)))
    finally:
        pipeline.close()
