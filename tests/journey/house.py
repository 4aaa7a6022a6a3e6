"""A small house for the journey, run as its own process: `house.py build` makes a city with two counties, a bureau and three people; `house.py jobs <kind> …` asks the
worker for jobs now and waits until they are done; `house.py facts` prints identities."""

import json
import sys
import time

from zhongshu.config.boot import boot

boot()

import shapely  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db.models import Count  # noqa: E402

from zhongshu.kernel.job import Job, enqueue  # noqa: E402
from zhongshu.kernel.place.models import Division  # noqa: E402
from zhongshu.kernel.record import SYSTEM, change  # noqa: E402
from zhongshu.packs.environment.air import AirIndex, AirStation  # noqa: E402
from zhongshu.security.access import create_grant  # noqa: E402
from zhongshu.security.identity import create_organisation, create_user, number_tree  # noqa: E402
from zhongshu.sense.device.publish import publish_all  # noqa: E402

WHY = "a small house"
PASSWORD = "river-stone-and-pine"
CITY = ("990100", "", "江城市", "city", (116.0, 39.8, 117.0, 40.6))
COUNTIES = (("990101", "990100", "南河区", "county", (116.0, 39.8, 117.0, 40.1)), ("990102", "990100", "北山区", "county", (116.0, 40.1, 117.0, 40.6)))
PEOPLE = {
    # the officer may check as well, so that only having worked on the case stands in the way
    "officer": ("李办", ("officer", "environment.officer", "checker", "environment.checker")),
    "checker": ("王核", ("checker", "environment.checker")),
    "leader": ("张局", ("leader", "environment.leader")),
}


def build() -> None:
    numbers = number_tree((code, parent or None) for code, parent, *_rest in (CITY, *COUNTIES))
    made: dict[str, Division] = {}
    with change(SYSTEM, WHY):
        for code, parent, name, level, box in (CITY, *COUNTIES):
            left, right = numbers[code]
            shape = bytes(shapely.to_wkb(shapely.box(*box)))
            made[code] = Division(code=code, name=name, level=level, parent=made.get(parent), left=left, right=right, shape=shape)
            made[code].save()
    bureau = create_organisation(SYSTEM, WHY, code="dept-environment", name="江城市生态环境局", kind="bureau", division=made["990100"])
    for login, (name, roles) in PEOPLE.items():
        user = create_user(SYSTEM, WHY, username=login, name=name, password=PASSWORD, organisation=bureau, language="en")
        for role in roles:
            create_grant(SYSTEM, WHY, role, user=user, division=made["990100"])
    publish_all(settings.HOUSE)


def ask(kinds: list[str]) -> None:
    asked = [enqueue(kind).pk for kind in kinds]
    until = time.monotonic() + 500
    while Job.objects.filter(pk__in=asked).exclude(state=Job.State.DONE).exists():
        failed = Job.objects.filter(pk__in=asked).exclude(error="").first()
        if failed or time.monotonic() > until:
            sys.exit(f"not done: {list(Job.objects.filter(pk__in=asked).values_list('kind', 'state', 'error'))}")
        time.sleep(0.05)
    print(json.dumps(dict(Job.objects.filter(pk__in=asked).values_list("kind", "result"))))


def tell() -> None:
    divisions = {code: str(uid) for code, uid in Division.objects.values_list("code", "uid")}
    stations = {s.name: {"thing": str(s.thing.uid), "division": s.division.code, "organisation": s.organisation.code} for s in AirStation.objects.all()}
    runs = sorted(set(Job.objects.filter(state=Job.State.DONE, dedupe__isnull=False).values_list("kind", flat=True)))
    print(json.dumps({"divisions": divisions, "stations": stations, "scheduled": runs}))


def count_editions() -> None:
    """How many days of stations have an index, by edition."""
    found = AirIndex.objects.filter(scale="day", station__isnull=False, aqi__isnull=False).values("edition").annotate(n=Count("pk"))
    print(json.dumps(dict(found.values_list("edition", "n"))))


if __name__ == "__main__":
    {"build": lambda _: build(), "jobs": ask, "facts": lambda _: tell(), "editions": lambda _: count_editions()}[sys.argv[1]](sys.argv[2:])
