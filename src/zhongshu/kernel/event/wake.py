"""Waking those who show records.

After a commit a datagram goes to every `run/wake-*.sock` of this machine, and with PostgreSQL a NOTIFY to the other machines.

A wake-up carries no data, only what was touched (`sense.Alarm work.Case`); who hears it reads again.
It may be lost or come twice: listeners look by themselves from time to time too.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import connection

from zhongshu.kernel.home import House

__all__ = ["RecordsWake", "WakeSocket", "listen_database", "wake"]

CHANNEL = "zhongshu_wake"
MOST_BYTES = 4096
LONGEST_PATH = 100  # sun_path holds 108 bytes on Linux
log = logging.getLogger(__name__)


def wake(house: House, topic: str) -> None:
    """Tell every process that listens in `run/` that `topic` (words separated by blanks) was touched. Never waits, never raises."""
    folder, text = house.path("run"), topic.encode()[:MOST_BYTES]
    try:
        names = [name for name in os.listdir(folder) if name.startswith("wake-") and name.endswith(".sock")]  # noqa: PTH208
    except OSError:
        return
    if not names:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sender:
        for name in names:
            _send(sender, folder / name, text)


def _send(sender: socket.socket, path: Path, text: bytes) -> None:
    try:
        with _Short(path) as address:
            sender.sendto(text, address)
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)  # its process was killed
    except OSError as error:
        log.debug("wake-up to %s not taken: %s", path.name, error)  # a full queue means that the listener is about to look anyway


class _Short:
    """An address of a socket that fits into `sun_path`: through the folder's descriptor where the path is too long."""

    def __init__(self, path: Path) -> None:
        self._path, self._folder = path, -1

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) < LONGEST_PATH:
            return str(self._path)
        self._folder = os.open(self._path.parent, os.O_PATH | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_error: object) -> None:
        if self._folder >= 0:
            os.close(self._folder)


class RecordsWake:
    """Implements the kernel's `WAKE` port: called after each commit that wrote records."""

    def tell(self, kinds: frozenset[str]) -> None:
        """Wake this machine's listeners, and with PostgreSQL those of all machines."""
        topic = " ".join(sorted(kinds))
        wake(settings.HOUSE, topic)
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, topic])


class WakeSocket:
    """The listening end of one process: `fileno()` becomes readable, `read()` empties it."""

    def __init__(self, house: House) -> None:
        folder = house.path("run")
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"wake-{os.getpid()}-{secrets.token_hex(4)}.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        with _Short(self.path) as address:
            self._socket.bind(address)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    def read(self) -> set[str]:
        """Return everything touched since the last call; empty when nothing was."""
        found: set[str] = set()
        while True:
            try:
                found.update(self._socket.recv(MOST_BYTES).decode(errors="replace").split())
            except (BlockingIOError, InterruptedError):
                return found

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._socket.close()
        self.path.unlink(missing_ok=True)


def listen_database(on_topic: Callable[[set[str]], None], stop: threading.Event) -> threading.Thread | None:
    """Hear the wake-ups of other machines through PostgreSQL's LISTEN, in a thread, until `stop`; returns None with another database.

    The thread has a connection of its own and makes a new one, with a pause, when it breaks; then everything counts as touched.
    """
    if connection.vendor != "postgresql":
        return None
    from psycopg import Error, connect, sql  # the driver is there only where PostgreSQL is used

    parameters = {k: v for k, v in connection.get_connection_params().items() if k in ("dbname", "user", "password", "host", "port")}

    def listen() -> None:
        while not stop.is_set():
            try:
                with connect(**parameters, autocommit=True) as line:
                    line.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    on_topic({"*"})
                    while not stop.is_set():
                        for notice in line.notifies(timeout=0.5):
                            on_topic(set(notice.payload.split()))
            except Error as error:
                log.warning("listening for wake-ups of other machines: %s", error)
                stop.wait(2.0)

    thread = threading.Thread(target=listen, name="wake", daemon=True)
    thread.start()
    return thread
