"""`/intake` on the web origin, for small use: one address and one process fewer for whoever sends a few readings a second."""

import asyncio
import logging

from zhongshu.kernel.home import House
from zhongshu.kernel.log import GroupCommitter, LogError, LogWriter, RefusedStore

from .intake import Intake, Receive, Scope, Send, reject
from .process import find_source
from .sources import SourceDirectory

__all__ = ["PARTITION", "MountedIntake"]

PARTITION = "web"
"""The web process's own log partition: a partition has one writing process."""

log = logging.getLogger(__name__)


class MountedIntake:
    """The same intake as the gateway's, with the same credentials, over a partition of its own that is made at the first request.

    Promises the same: 200 only after the commit is synced. Where the partition cannot be opened every request is answered 503.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._opening = asyncio.Lock()
        self._intake: Intake | None = None
        self._opened: list[LogWriter | RefusedStore] = []
        self._committer: GroupCommitter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            intake = await self._get_intake()
        except LogError:
            log.exception("the log partition of the web origin cannot be opened")
            await reject(send, 503, "the log cannot be written at the moment")
            return
        await intake(scope, receive, send)

    async def _get_intake(self) -> Intake:
        async with self._opening:
            if self._intake is None:
                self._intake = await asyncio.to_thread(self._open)
            return self._intake

    def _open(self) -> Intake:
        path = self._house.path("log", f"{PARTITION}.sqlite3")
        writer = LogWriter(path)
        committer, refused, directory = GroupCommitter(writer), RefusedStore(path), SourceDirectory(self._house.path("dim"))
        self._committer, self._opened = committer, [writer, refused]
        return Intake(committer, lambda token: find_source(directory, token), refused=refused)

    def close(self) -> None:
        """Commit what was handed in and close the partition; afterwards the next request opens it again."""
        if self._committer is not None:
            self._committer.close()
        for opened in self._opened:
            opened.close()
        self._intake, self._committer, self._opened = None, None, []
