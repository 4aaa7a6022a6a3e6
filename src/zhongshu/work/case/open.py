"""Opening cases: number, responsible organisation, limits, first step."""

from datetime import datetime

from django.utils import timezone

from zhongshu.kernel.record import Actor, change
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import now as clock_now

from .clock import set_step_limit, set_total_limit
from .declare import CaseKind
from .events import publish_case
from .machine import CaseState
from .models import Case, CaseNumber
from .responsible import find_responsible
from .step import add_step

__all__ = ["open_case"]


def open_case(
    kind_name: str,
    title: str,
    level: str,
    by: Actor,
    why: str,
    *,
    key: str,
    event_uid: str = "",
    division_id: int | None = None,
    lon: float | None = None,
    lat: float | None = None,
    address: str = "",
    repeat_of: Case | None = None,
) -> Case:
    """Open a case, or return the one that was opened with this `key` before.

    `key` says what the case is for and makes a repeated call recognisable. The number is the kind's prefix, the civil day of the city and a running
    number of that day. Raises `RegistryError` for an unknown
    kind.
    """
    kind: CaseKind = registry.get("case_kind", kind_name)
    now = clock_now()
    with change(by, why):
        number = _take_number(kind, now)
        known = Case.objects.filter(key=key).first()
        if known is not None:
            return known
        organisation = find_responsible(kind, division_id)
        case = Case(
            case_no=number.name + f"-{number.last + 1:04d}",
            key=key,
            kind=kind.name,
            title=title[:200],
            level=level,
            state=CaseState.OPENED,
            event_uid=event_uid,
            repeat_of=repeat_of,
            division_id=division_id,
            organisation=organisation,
            lon=lon,
            lat=lat,
            address=address,
            opened_at=now,
            state_since=now,
        )
        CaseNumber.objects.filter(pk=number.pk).update(last=number.last + 1)
        set_total_limit(kind, case)
        set_step_limit(kind, case)
        case.save()
        add_step(kind, case, "open", by, now, before="", note=why)
        publish_case("work.case.opened", case, "open")
    return case


def _take_number(kind: CaseKind, now: datetime) -> CaseNumber:
    """Lock the running number of the day; whoever opens a case of this kind today waits here."""
    name = f"{kind.prefix}-{timezone.localdate(now):%Y%m%d}"
    CaseNumber.objects.get_or_create(name=name)
    return CaseNumber.objects.select_for_update().get(name=name)
