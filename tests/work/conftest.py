"""A small city with an environment bureau, air stations and people who work on cases."""

import datetime as dt
import uuid
from dataclasses import dataclass, field

import pytest

from zhongshu.brain.fuse import EventRule
from zhongshu.kernel.event import deliver_due, publish
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import SYSTEM, change
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import freeze
from zhongshu.security.access import Role, create_grant
from zhongshu.security.identity.models import Organisation, User
from zhongshu.sense.device.models import Product, Thing
from zhongshu.work.case import CaseKind

MONDAY = dt.datetime(2026, 11, 23, 1, 0, tzinfo=dt.UTC)  # 9:00 in the city

EVENT_RULE = registry.find("event_rule", "probe.air") or EventRule(
    "probe.air", kind="probe.air_over_limit", label="air over the limit", feed="probe_station", min_level="yellow", within_h=6
)
CASE_KIND = registry.find("case_kind", "probe.air_case") or CaseKind(
    "probe.air_case",
    "air case",
    on="probe.air_over_limit",
    prefix="HJ",
    to="bureau",
    within="8 h",
    steps={"opened": "30 min", "acting": "2 h", "checking": "1 h"},
    escalation=("0 h", "4 h"),
)
WORKING_KIND = registry.find("case_kind", "probe.works") or CaseKind("probe.works", "works", prefix="GC", within="2 working d", steps={"acting": "4 working h"})


@dataclass
class City:
    division: Division
    town: Division
    government: Organisation
    bureau: Organisation
    street: Organisation
    users: dict[str, User]
    thing: Thing
    told: list = field(default_factory=list)

    def alarm(self, started_at=MONDAY, level="yellow", thing=None, historical=False, **more) -> dict:
        thing = thing or self.thing
        return {
            "alarm": str(uuid.uuid4()),
            "thing": str(thing.uid),
            "stream": f"{thing.external_id}/a34004-Avg",
            "product": "probe_station",
            "property": "a34004-Avg",
            "level": level,
            "title": "PM2.5 over 75",
            "value": 91.0,
            "limit": 75.0,
            "unit": "ug/m3",
            "started_at": started_at.isoformat(),
            "division": "",
            "historical": historical,
        } | more

    def tell(self, name: str, *facts: dict) -> None:
        with change(SYSTEM, "facts of the pipeline"):
            for fact in facts:
                publish(name, fact["alarm"], fact)
        self.deliver()

    def deliver(self) -> None:
        while deliver_due():
            pass


GRANTS = {"clerk": ["act", "assign"], "worker": ["act"], "mate": ["act", "check"], "checker": ["check"], "chief": ["act", "assign", "check", "dispatch", "void"]}
EVERYWHERE = ("checker", "chief")


@pytest.fixture
def clock():
    with freeze(MONDAY) as held:
        yield held


@pytest.fixture
def city(transactional_db, clock) -> City:
    with change(SYSTEM, "set up a city"):
        division = Division(code="990100", name="江城", level="city")
        division.save()
        town = Division(code="990100001", name="北镇", level="town", parent=division)
        town.save()
        government = Organisation(code="gov", name="city government", kind="government", division=division, left=1, right=6)
        government.save()
        bureau = Organisation(code="bureau", name="environment bureau", kind="bureau", parent=government, division=division, left=2, right=3)
        bureau.save()
        street = Organisation(code="street", name="street office", kind="street", parent=government, division=town, left=4, right=5)
        street.save()
        users = {}
        for name in ("clerk", "worker", "mate", "checker", "chief", "stranger"):
            users[name] = User(username=name, name=name, organisation=bureau)
            users[name].save()
        product = Product(code="probe_station", name="air station")
        product.save()
        thing = Thing(external_id="S1", name="station one", product=product, division=town, organisation=bureau, lon=114.3, lat=30.6)
        thing.save()
    with change(SYSTEM, "rights"):
        for name, verbs in GRANTS.items():
            Role(code=name, name=name, verbs={"work.Case": ["view", *verbs]}).save()
            create_grant(SYSTEM, "test", name, user=users[name], organisation=None if name in EVERYWHERE else bureau)
    return City(division, town, government, bureau, street, users, thing)
