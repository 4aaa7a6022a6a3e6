"""A small city of things and people with different rights, and the same facts as plain dicts for the oracle."""

import itertools
from dataclasses import dataclass

import pytest
from django.test import Client

from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import SYSTEM, change
from zhongshu.security import version
from zhongshu.security.access import create_grant, sync_roles
from zhongshu.security.identity import create_token
from zhongshu.security.identity.models import Organisation, User
from zhongshu.sense.device.models import Product, Thing

# code → (parent, left, right); numbers as kernel.place gives them: right is the largest left below
DIVISIONS = {"C": ("", 1, 7), "A": ("C", 2, 4), "A1": ("A", 3, 3), "A2": ("A", 4, 4), "B": ("C", 5, 7), "B1": ("B", 6, 6), "B2": ("B", 7, 7)}
ORGANISATIONS = {"gov": ("", 1, 4), "epb": ("gov", 2, 3), "epb-a": ("epb", 3, 3), "fire": ("gov", 4, 4)}
# user → grants of (role, division or "", organisation or "", ceiling)
PEOPLE = {
    "nobody": [],
    "mayor": [("leader", "", "", "internal")],
    "county": [("officer", "A", "", "internal")],
    "bureau": [("officer", "", "epb", "internal")],
    "both": [("officer", "A", "epb", "internal"), ("officer", "B2", "", "internal")],
    "admin": [("administrator", "", "", "sensitive")],
    "engineer": [("device-engineer", "B", "", "internal")],
    "citizen": [("citizen", "", "", "public")],
}


@dataclass
class Town:
    """What was put in, as plain data, and how to come in."""

    things: list[dict]
    users: dict[str, User]
    tokens: dict[str, str]

    def client(self, name: str) -> Client:
        client = Client()
        client.force_login(self.users[name], backend="django.contrib.auth.backends.ModelBackend")
        return client

    def bearer(self, name: str) -> dict[str, str]:
        return {"HTTP_AUTHORIZATION": f"Bearer {self.tokens[name]}"}


def _inside(tree: dict, code: str, top: str) -> bool:
    while code:
        if code == top:
            return True
        code = tree[code][0]
    return False


def may_see(user: str, thing: dict, roles: frozenset[str] = frozenset({"leader", "officer", "administrator", "device-engineer"})) -> bool:
    """Tell, by walking plain parent links, whether a grant of the user reaches the thing."""
    for role, division, organisation, _ceiling in PEOPLE[user]:
        if role not in roles:
            continue
        here = not division or (thing["division"] and _inside(DIVISIONS, thing["division"], division))
        theirs = not organisation or (thing["organisation"] and _inside(ORGANISATIONS, thing["organisation"], organisation))
        if here and theirs:
            return True
    return False


@pytest.fixture
def town(db, monkeypatch) -> Town:
    monkeypatch.setattr(version, "POLL_S", 0.0)  # a rolled-back test commits nothing, so nothing says that rights changed
    sync_roles([])
    with change(SYSTEM, "a small city"):
        divisions: dict[str, Division] = {}
        for code, (parent, left, right) in DIVISIONS.items():
            divisions[code] = Division(code=code, name=f"区{code}", level="county", parent=divisions.get(parent), left=left, right=right)
            divisions[code].save()
        organisations: dict[str, Organisation] = {}
        for code, (parent, left, right) in ORGANISATIONS.items():
            organisations[code] = Organisation(code=code, name=f"局{code}", kind="bureau", parent=organisations.get(parent), left=left, right=right)
            organisations[code].save()
        product = Product(code="probe", name="探头")
        product.save()
        things = [
            {"external_id": f"T{n:03}", "division": division, "organisation": organisation}
            for n, (division, organisation) in enumerate(itertools.product([*DIVISIONS, ""], [*ORGANISATIONS, ""]))
        ]
        Thing.objects.bulk_create(
            [
                Thing(
                    external_id=t["external_id"],
                    name=f"探头{t['external_id']}",
                    product=product,
                    lon=115.0,
                    lat=28.0,
                    division=divisions.get(t["division"]),
                    organisation=organisations.get(t["organisation"]),
                )
                for t in things
            ]
        )
        users = {}
        for name in PEOPLE:
            users[name] = User(username=name, name=f"人{name}", phone="13812345678", organisation=organisations["epb-a"])
            users[name].set_unusable_password()
            users[name].save()
    tokens = {}
    for name, grants in PEOPLE.items():
        for role, division, organisation, ceiling in grants:
            create_grant(SYSTEM, "test", role, user=users[name], division=divisions.get(division), organisation=organisations.get(organisation), ceiling=ceiling)
        tokens[name] = create_token(SYSTEM, "test", users[name])[1]
    return Town(things, users, tokens)
