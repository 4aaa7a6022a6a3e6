"""The one task of a web process that looks for news and hands them to all streams."""

import asyncio
import contextlib
import itertools
import logging
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils.translation import gettext as _
from django.utils.translation import override
from numpy.typing import NDArray

from zhongshu.kernel.event import WakeSocket, listen_database
from zhongshu.kernel.home import House
from zhongshu.kernel.time import now
from zhongshu.portal.caller import Caller, call, find_caller
from zhongshu.portal.screen.place import find_place, find_root
from zhongshu.portal.screen.readings import get_reader
from zhongshu.portal.screen.viewer import Viewer
from zhongshu.security.version import get_rights_version

from .client import Client
from .desk_group import DeskGroup, list_topics
from .events import END, RELOAD, encode_event
from .screen_group import ScreenGroup

__all__ = ["Hub", "Refused"]

POLL_S = 0.2
RIGHTS_S = 0.25
STATUS_S = 5.0
EVERYTHING_S = 30.0  # a wake-up may be lost
MOST_CLIENTS = 2000
SAMPLE = 2000
BUDGET_S = 0.1  # for what is not urgent, in one turn: readings and alarms must not wait behind it
log = logging.getLogger(__name__)
Group = ScreenGroup | DeskGroup


class Refused(Exception):
    """A stream is not opened: `status` and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Hub:
    """Groups of clients that may see the same. Groups are read in one thread, one after the other; queues belong to the event loop."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._doors = ThreadPoolExecutor(2, thread_name_prefix="live-door")  # whoever comes in does not make the others wait
        self._nonce, self._numbers = secrets.token_hex(4), itertools.count(1)
        self._groups: dict[Any, Group] = {}
        self._task: asyncio.Task[None] | None = None
        self._touched: set[str] = set()
        self._woken = asyncio.Event()
        self._ending = False
        self._generation = 0
        self._rights_at = self._status_at = self._everything_at = 0.0
        self._rights_version = ""
        self._pace = Pace()

    async def join(self, request: Any, kind: str, division: str, last_id: str) -> Client:
        """Open a stream for whoever sent `request`; raises `Refused`. The client begins with the whole state unless `last_id` says that it has it."""
        if self._ending or sum(len(group.clients) for group in self._groups.values()) >= MOST_CLIENTS:
            raise Refused(503, "too many streams are open; try again later")
        if not self._groups:  # nobody looked for a while: what came meanwhile is no news, and its age no delay
            self._generation = await call(self._pool, lambda: get_reader().generation)
        key, group, caller = await call(self._doors, self._find_group, request, kind, division)
        client = Client(caller, last_id)
        group = self._groups.setdefault(key, group)
        group.clients.add(client)
        snapshot = [] if last_id and last_id == group.id else await call(self._pool, group.build_snapshot)
        client.restart([*snapshot, self._build_status(group)])
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="live-hub")
        return client

    def leave(self, client: Client) -> None:
        """Forget a client, and its group with the last one."""
        for key, group in list(self._groups.items()):
            group.clients.discard(client)
            if not group.clients:
                del self._groups[key]
        self._woken.set()

    def end_all(self) -> None:
        """Close every stream, without `end`: browsers come back to the next process."""
        self._ending = True
        for group in self._groups.values():
            for client in list(group.clients):
                client.close()

    def _find_group(self, request: Any, kind: str, division: str) -> tuple[Any, Group, Caller]:
        caller = find_caller(request)
        if caller is None:
            raise Refused(401, "log in, or send a bearer token")
        if kind == "desk":
            key: Any = ("desk", caller.user.pk, caller.user.limit, caller.language)
            return key, self._groups.get(key) or DeskGroup(self._name(), caller.user), caller
        viewer = Viewer.of(caller.user, caller.language)
        found = _find_division(viewer, division)
        key = ("screen", viewer, found.pk)
        return key, self._groups.get(key) or ScreenGroup(self._name(), viewer, found), caller

    def _name(self) -> str:
        return f"{self._nonce}-{next(self._numbers)}"

    async def _run(self) -> None:
        loop, ear, stop = asyncio.get_running_loop(), WakeSocket(self._house), threading.Event()
        loop.add_reader(ear.fileno(), lambda: self._wake(ear.read()))
        far = await call(self._pool, listen_database, lambda topics: loop.call_soon_threadsafe(self._wake, topics), stop)
        try:
            while self._groups:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), POLL_S)
                self._woken.clear()
                await self._turn()
        finally:
            loop.remove_reader(ear.fileno())
            ear.close()
            stop.set()
            if far is not None:
                log.debug("no stream is open; listening for other machines ends")

    def _wake(self, topics: set[str]) -> None:
        self._touched |= topics
        self._woken.set()

    async def _turn(self) -> None:
        """Look once and hand out what is new; an error is told in the log and costs one turn."""
        touched, self._touched = self._touched, set()
        groups = list(self._groups.values())
        try:
            for client, last in await call(self._pool, self._check_rights, groups, bool(touched & {"*"})):
                client.close(last)
            for group, events in await call(self._pool, self._look, groups, touched):
                await self._hand_out(group, events)
        except Exception:
            log.exception("a look for news failed")
            self._touched |= touched
            await asyncio.sleep(1.0)

    async def _hand_out(self, group: Group, events: list[bytes]) -> None:
        for client in list(group.clients):
            for event in events:
                client.push(event)
            if client.is_behind:
                client.restart(await call(self._pool, group.build_snapshot))

    def _look(self, groups: list[Group], touched: set[str]) -> list[tuple[Group, list[bytes]]]:
        moment = time.monotonic()
        if moment - self._everything_at >= EVERYTHING_S:
            touched, self._everything_at = touched | ({"*"} if self._everything_at else set()), moment
        changed = self._find_changed()
        found = [(group, group.look(touched, changed)) for group in groups]
        late = sorted((group for group in groups if group.compute_lateness() > 0), key=lambda group: -group.compute_lateness())
        for group in late:
            found.append((group, group.look_again()))
            if time.monotonic() - moment > BUDGET_S:
                break
        if moment - self._status_at >= STATUS_S:
            self._status_at = moment
            self._pace.count()
            found += [(group, [self._build_status(group)]) for group in groups]
        return [(group, events) for group, events in found if events]

    def _find_changed(self) -> NDArray[np.int64]:
        reader = get_reader()
        generation = reader.generation
        if generation == self._generation:
            return np.empty(0, np.int64)
        changed = reader.changed_since(self._generation)
        self._generation = generation
        if len(changed):
            self._pace.note(len(changed), int(reader.read(changed[-SAMPLE:]).arrived_at.max()))
        return changed

    def _build_status(self, group: Group) -> bytes:
        language = group.viewer.language if isinstance(group, ScreenGroup) else group.user.language
        facts: dict[str, Any] = {"now": now().isoformat(), "delay_s": self._pace.delay_s}
        text = group.get_things_text()
        if text:
            with override(language):
                facts |= {"things_text": text, "rate_text": self._pace.say() if _sees_all(group) else ""}
        return encode_event("status", facts)

    def _check_rights(self, groups: list[Group], at_once: bool) -> list[tuple[Client, bytes]]:
        """Return the clients that may go on no longer as they do, each with its last event."""
        if not at_once and time.monotonic() - self._rights_at < RIGHTS_S:
            return []
        self._rights_at = time.monotonic()
        version = get_rights_version()
        fresh, self._rights_version = version != self._rights_version, version
        clients = [(group, client) for group in groups for client in list(group.clients)]
        keys = {client.caller.session for _group, client in clients if client.caller.session}
        live = set(Session.objects.filter(session_key__in=keys, expire_date__gt=now()).values_list("session_key", flat=True)) if keys else set()
        found = [(client, _judge(group, client, live, fresh)) for group, client in clients]
        return [(client, last) for client, last in found if last is not None]


class Pace:
    """How fast readings come, and how old the newest was when it left for the screens."""

    def __init__(self) -> None:
        self.delay_s: float | None = None
        self._count, self._since, self._heard = 0, time.monotonic(), 0.0
        self._rate = 0.0

    def note(self, streams: int, arrived_us: int) -> None:
        """Take note of streams that changed; the newest reading arrived at `arrived_us`."""
        self._count += streams
        self._heard = time.monotonic()
        self.delay_s = round(max(0.0, time.time() - arrived_us / 1e6), 2)

    def count(self) -> None:
        """Close one stretch of counting; after a stretch without readings there is no delay to tell."""
        moment = time.monotonic()
        self._rate, self._since, self._count = self._count / max(moment - self._since, 1e-3), moment, 0
        if moment - self._heard > 2 * STATUS_S:
            self.delay_s = None

    def say(self) -> str:
        """Return the pace in words."""
        if self._rate >= 0.05:
            return _("%(rate)s readings/s") % {"rate": f"{self._rate:,.0f}" if self._rate >= 10 else f"{self._rate:.1f}"}
        return _("no new readings") if self._heard == 0 else _("no new readings for %(seconds)s s") % {"seconds": int(time.monotonic() - self._heard)}


def _find_division(viewer: Viewer, asked: str) -> Any:
    if not viewer:
        raise Refused(403, "your rights do not include any division")
    if not asked:
        return find_root(viewer.division)
    try:
        uid = UUID(asked)
    except ValueError:
        raise Refused(404, "division must be the uid of a division") from None
    found = find_place(viewer.division, uid)
    if found is None:
        raise Refused(404, "there is no such division, or your rights do not reach it")
    return found


def _sees_all(group: Group) -> bool:
    return isinstance(group, ScreenGroup) and any(c.divisions is None and c.organisations is None for c in group.viewer.stream.clauses)


def _judge(group: Group, client: Client, live: set[str], fresh: bool) -> bytes | None:
    caller = client.caller
    if caller.session and caller.session not in live:
        return END
    user = caller.user
    if fresh:
        headers = [(b"authorization", caller.bearer.encode())] if caller.bearer else [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={caller.session}".encode())]
        again = find_caller({"headers": headers})
        if again is None:
            return END
        user = again.user
    if isinstance(group, DeskGroup):
        group.user, group.topics = user, list_topics(user)
        return None if group.topics else END
    viewer = Viewer.of(user, caller.language)
    if viewer == group.viewer:
        return None
    return RELOAD if viewer and find_place(viewer.division, group.division.uid) is not None else END
