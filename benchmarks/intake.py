"""Durable intake against a bare Delta write of the same readings, in one run: CPU per observation over all processes, and bytes a row of the closed day.

    python -m benchmarks.intake [--seconds 15] [--senders 2]

The senders (not counted) post pre-built JSON bodies of 1,000 readings of 100 streams by external id over kept connections; gateway and pipeline run as processes
of their own and everything they use is counted: user and system time from their start-up to the last row in the lake, start-up itself taken off.
"""

import argparse
import json
import multiprocessing
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
from deltalake import write_deltalake

from benchmarks._house import describe_load
from zhongshu.kernel.lake import Lake, compact_day
from zhongshu.kernel.log import LogReader
from zhongshu.sense.observe import publish_streams

STREAMS, PER_BATCH, GROUPS = 10_000, 1000, 100
PATH = "/intake/v1/observations"
LIMIT_US = 3.0


def serve_gateway(home: Path, port: Any) -> None:
    """The gateway process."""
    import uvicorn
    import uvloop

    from zhongshu.kernel.log import GroupCommitter, LogWriter
    from zhongshu.sense.gateway.intake import Intake, Source

    everything = Source("bench", ("",))
    intake = Intake(GroupCommitter(LogWriter(home / "log" / "local.sqlite3")), lambda token: everything)
    # asyncio turns Nagle off only for sockets that say TCP, and waiting for delayed acknowledgements costs 40 ms an answer
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    port.put(listener.getsockname()[1])
    uvloop.run(uvicorn.Server(uvicorn.Config(intake, log_level="warning", access_log=False, lifespan="off")).serve(sockets=[listener]))


def serve_pipeline(home: Path, up: Any) -> None:
    """The pipeline process."""
    from zhongshu.sense.pipeline import PipelineSettings, run

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    up.set()
    run(PipelineSettings(home), stop)


def build_bodies(shape: str, base: datetime, batches: int, worker: int) -> list[bytes]:
    """Bodies of 1,000 readings: 100 streams, ten readings each, every body other streams or later times."""
    rng = np.random.default_rng(worker)
    bodies = []
    for n in range(batches):
        first = (n % (STREAMS // 100)) * 100
        names = [f"mqtt:logger-{first + s:05d}/temperature" for s in range(100)]
        values = np.round(rng.normal(20, 4, PER_BATCH), 2).tolist()
        start = base + timedelta(seconds=(n // (STREAMS // 100)) * 10)
        # worker shifts times so that no two senders write one identity
        times = [start + timedelta(seconds=k, microseconds=worker * 10 + 1) for k in range(10)]
        if shape == "columns":
            stamps = [int(t.timestamp() * 1e6) for t in times]
            content: Any = {"streams": names, "stream": [r % 100 for r in range(PER_BATCH)], "t": [stamps[r // 100] for r in range(PER_BATCH)], "value": values}
        else:
            stamps = [t.isoformat().replace("+00:00", "Z") for t in times]
            content = [{"stream": names[r % 100], "t": stamps[r // 100], "value": values[r]} for r in range(PER_BATCH)]
        bodies.append(json.dumps(content, separators=(",", ":")).encode())
    return bodies


def send(port: int, shape: str, base: datetime, seconds: float, worker: int, ready: Any, go: Any, sent: Any) -> None:
    """One sender: posts bodies one after the other over one connection."""
    head = b"POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer t\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    requests = [head % (PATH.encode(), len(body)) + body for body in build_bodies(shape, base, int(seconds * 250), worker)]
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ready.put(worker)
    go.wait()
    until, taken = time.monotonic() + seconds, 0
    for request in requests:
        if time.monotonic() > until:
            break
        connection.sendall(request)
        answer = connection.recv(4096)
        while not answer.endswith(b"}"):
            answer += connection.recv(4096)
        if b" 200 " not in answer[:20]:
            raise SystemExit(f"refused: {answer!r}")
        taken += PER_BATCH
    sent.put(taken)


def measure(shape: str, seconds: float, senders: int, home: Path) -> tuple[float, int, float, Lake]:
    """Return CPU µs an observation, readings taken, readings a second, and the lake."""
    streams = [
        {
            "ordinal": n,
            "external_id": f"mqtt:logger-{n:05d}/temperature",
            "period_s": 1.0,
            "low": -60.0,
            "high": 60.0,
            "thresholds": [{"id": "hot", "op": ">", "limit": 45.0, "clear": 40.0, "for_s": 0.0, "level": 1}],
        }
        for n in range(STREAMS)
    ]
    publish_streams(pa.Table.from_pylist(streams), home)
    context = multiprocessing.get_context("spawn")
    port, ready, sent, up, go = context.Queue(), context.Queue(), context.Queue(), context.Event(), context.Event()
    servers = [context.Process(target=serve_gateway, args=(home, port)), context.Process(target=serve_pipeline, args=(home, up))]
    for server in servers:
        server.start()
    number = port.get(timeout=30)
    up.wait(30)
    base = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    workers = [context.Process(target=send, args=(number, shape, base, seconds, n, ready, go, sent)) for n in range(senders)]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.get(timeout=120)
    watched = [psutil.Process(server.pid) for server in servers]
    before = sum(sum(process.cpu_times()[:2]) for process in watched)
    began = time.monotonic()
    go.set()
    taken = sum(sent.get(timeout=seconds + 60) for _ in workers)
    reader, until = LogReader(home / "log" / "local.sqlite3"), time.monotonic() + 60
    while reader.figures().entries and time.monotonic() < until:
        time.sleep(0.05)
    reader.close()
    elapsed = time.monotonic() - began
    each = [sum(process.cpu_times()[:2]) for process in watched]
    used = sum(each) - before
    print(f"  {shape}: {taken:,} readings in {elapsed:.1f} s = {taken / elapsed:,.0f}/s")
    print(f"  gateway {each[0] / taken * 1e6:.2f}, pipeline {each[1] / taken * 1e6:.2f} µs with start-up")
    for server in servers:
        server.terminate()
        server.join()
    for worker in workers:
        worker.join()
    return used / taken * 1e6, taken, taken / elapsed, Lake(home / "lake")


def write_bare(rows: pa.Table, folder: Path, batch: int = 50_000) -> float:
    """Write the same readings to Delta with nothing else, 50,000 a commit; return CPU µs a row."""
    write_deltalake(str(folder / "warm"), rows.slice(0, 1000))
    began = time.process_time()
    for start in range(0, rows.num_rows, batch):
        write_deltalake(str(folder / "bare"), rows.slice(start, batch), mode="append")
    return (time.process_time() - began) / rows.num_rows * 1e6


def main() -> None:
    """Measure both body shapes and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--senders", type=int, default=2)
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="zhongshu-bench-"))
    try:
        for shape in ("readings", "columns"):
            home = work / shape
            home.mkdir()
            used, taken, _, lake = measure(shape, options.seconds, options.senders, home)
            with lake.connect(("observation",)) as connection:
                rows = connection.sql("SELECT stream, t, sub, value, quality FROM observation").to_arrow_table()
            if rows.num_rows != taken:
                sys.exit(f"{taken} acknowledged, {rows.num_rows} in the lake")
            bare = write_bare(rows, home)
            share = f"{used / LIMIT_US:.2f} of the limit of {LIMIT_US:g}"
            print(f"{shape}: {used:.2f} µs CPU an observation over gateway and pipeline, {share}; bare Delta write {bare:.2f}; ratio {used / bare:.1f}")
        for day in sorted({file.partition for file in lake.files("observation") if file.partition}):
            compact_day(lake, "observation", day)
        files = lake.files("observation")
        print(f"closed day: {sum(f.size for f in files) / sum(f.rows for f in files):.2f} bytes an observation (random values at 1 s); {describe_load()}")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
