"""A small gateway for the kill test, run as its own process: HTTP intake over one log partition, on a free port printed on the first line."""

import asyncio
import socket
import sys
from pathlib import Path

import uvicorn

from zhongshu.kernel.log import GroupCommitter, LogWriter
from zhongshu.sense.gateway.intake import Intake, Source


def main() -> None:
    home = Path(sys.argv[1])
    committer = GroupCommitter(LogWriter(home / "log" / "local.sqlite3"))
    intake = Intake(committer, lambda token: Source("test", ("",)) if token == "t" else None)
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    print(listener.getsockname()[1], flush=True)
    server = uvicorn.Server(uvicorn.Config(intake, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1))
    asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
