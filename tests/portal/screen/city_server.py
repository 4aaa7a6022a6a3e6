"""A small city with a real web server in a process of its own; takes commands as JSON lines on standard input and answers each with one line.

Run as `python city_server.py <home> <port>`. The records, the latest file and the sockets lie in <home>.
"""

import datetime as dt
import json
import os
import sys
import threading
from pathlib import Path

import numpy as np

HOME, PORT = Path(sys.argv[1]), int(sys.argv[2])
os.environ["ZHONGSHU_HOME"] = str(HOME)
os.environ["DJANGO_SETTINGS_MODULE"] = "zhongshu.config.settings"

import django  # noqa: E402

django.setup()

import shapely  # noqa: E402
import uvicorn  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django_otp.plugins.otp_totp.models import TOTPDevice  # noqa: E402

from zhongshu.brain.indicator import compute_indicator, get_indicator  # noqa: E402
from zhongshu.brain.indicator.models import IndicatorValue  # noqa: E402
from zhongshu.kernel.pack import find_packs  # noqa: E402
from zhongshu.kernel.place.models import Division  # noqa: E402
from zhongshu.kernel.record import SYSTEM, change  # noqa: E402
from zhongshu.kernel.time import Period, PeriodUnit, to_datetime  # noqa: E402
from zhongshu.packs.environment.air import AirIndex, AirStation  # noqa: E402
from zhongshu.security.access import create_grant, end_grant, sync_roles  # noqa: E402
from zhongshu.security.access.models import Grant  # noqa: E402
from zhongshu.security.identity import Organisation, Token, User, begin_totp, create_token, create_user, number_tree, revoke_token  # noqa: E402
from zhongshu.sense.device.feed import sync_feeds  # noqa: E402
from zhongshu.sense.device.models import Product, Property, Stream, Thing, Threshold  # noqa: E402
from zhongshu.sense.observe import LatestWriter  # noqa: E402
from zhongshu.sense.observe.models import Alarm, AlarmState  # noqa: E402
from zhongshu.work.case import open_case  # noqa: E402
from zhongshu.work.case.models import Case, Responsibility  # noqa: E402

WEST, SOUTH, SIDE = 114.0, 30.0, 0.2
COUNTIES = (("990101", "东湖区", "East Lake"), ("990102", "西山区", "West Hill"))


def box(west: float, south: float, side: float) -> bytes:
    return bytes(shapely.to_wkb(shapely.box(west, south, west + side, south + side)))


def build_divisions() -> dict[str, Division]:
    rows = [("9901", "", "江城市", "River City", "city", bytes(shapely.to_wkb(shapely.box(WEST, SOUTH, WEST + 2 * SIDE, SOUTH + SIDE))))]
    for c, (code, zh, en) in enumerate(COUNTIES):
        west = WEST + c * SIDE
        rows.append((code, "9901", zh, en, "county", box(west, SOUTH, SIDE)))
        for t in range(4):
            x, y = west + (t % 2) * SIDE / 2, SOUTH + (t // 2) * SIDE / 2
            rows.append((f"{code}{t + 1:03d}", code, f"{zh[:2]}{t + 1}街道", f"{en} Street {t + 1}", "town", box(x, y, SIDE / 2)))
            rows.append((f"{code}{t + 1:03d}001", f"{code}{t + 1:03d}", f"{zh[:2]}{t + 1}社区", f"{en} Community {t + 1}", "village", box(x, y, SIDE / 2)))
            for k in range(4):
                x1, y1 = x + (k % 2) * SIDE / 4, y + (k // 2) * SIDE / 4
                rows.append((f"{code}{t + 1:03d}001{k + 1:03d}", f"{code}{t + 1:03d}001", f"第{k + 1}网格", f"Cell {k + 1}", "cell", box(x1, y1, SIDE / 4)))
    numbers = number_tree((code, parent or None) for code, parent, *_rest in rows)
    made: dict[str, Division] = {}
    for code, parent, zh, en, level, shape in rows:
        left, right = numbers[code]
        made[code] = Division(code=code, name=zh, name_en=en, level=level, parent=made.get(parent), left=left, right=right, shape=shape)
        made[code].save()
    return made


class City:
    """What the tests ask for."""

    def __init__(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        sync_roles(find_packs())
        sync_feeds(SYSTEM)
        with change(SYSTEM, "set up a city"):
            self.divisions = build_divisions()
            self.bureau = Organisation(code="bureau", name="生态环境局", name_en="Environment Bureau", kind="bureau", division=self.divisions["9901"], left=1, right=1)
            self.bureau.save()
            self.stations = [self._make_station(n) for n in range(6)]
            self.product = Product(code="tilt_sensor", name="倾斜传感器", name_en="Tilt sensor")
            self.product.save()
            self.tilt = Property(product=self.product, code="tilt", name="倾角", name_en="Tilt", unit="deg", decimals=1, headline=True, period_s=60)
            self.tilt.save()
            self.things = [self._make_thing(n) for n in range(40)]
        self.writer = LatestWriter(HOME / "latest")
        self.hour(62, 31)

    def _place(self, n: int, shift: float = 0.0) -> tuple[float, float, Division]:
        county, town, cell = n % 2, n // 2 % 4, n // 8 % 4
        x = WEST + county * SIDE + (town % 2) * SIDE / 2 + (cell % 2) * SIDE / 4 + SIDE / 8 + (n % 5 - 2) * SIDE / 60 + shift
        y = SOUTH + (town // 2) * SIDE / 2 + (cell // 2) * SIDE / 4 + SIDE / 8 + (n % 7 - 3) * SIDE / 80 + shift
        return x, y, self.divisions[f"{COUNTIES[county][0]}{town + 1:03d}001{cell + 1:03d}"]

    def _make_station(self, n: int) -> AirStation:
        lon, lat, division = self._place(n)
        product = Product.objects.get(code="air_station")
        place = {"lon": lon, "lat": lat, "division": division, "organisation": self.bureau}
        thing = Thing(external_id=f"air-{n}", name=f"空气站{n + 1}", product=product, band="ok", **place)
        thing.save()
        for m, prop in enumerate(product.properties.order_by("id")):
            Stream(ordinal=n * 16 + m, external_id=f"hj212:{n}/{prop.code}", thing=thing, property=prop, unit=prop.unit).save()
        station = AirStation(station_no=f"S{n}", name=f"空气站{n + 1}", thing=thing, opened_on=dt.date(2020, 1, 1), **place)
        station.save()
        return station

    def crowd(self, count: int) -> None:
        """Many more sensors, all in the first town."""
        rng, division = np.random.default_rng(3), self.divisions[f"{COUNTIES[0][0]}001001001"]
        places = WEST + rng.random(count) * SIDE / 4, SOUTH + rng.random(count) * SIDE / 4
        what = {"product": self.product, "division": division, "organisation": self.bureau, "band": "ok"}
        with change(SYSTEM, "many sensors"):
            Thing.objects.bulk_create(Thing(external_id=f"more-{n}", name=f"{n}", lon=lon, lat=lat, **what) for n, (lon, lat) in enumerate(zip(*places, strict=True)))

    def _make_thing(self, n: int) -> Thing:
        lon, lat, division = self._place(n, SIDE / 50)
        thing = Thing(external_id=f"tilt-{n}", name=f"倾斜{n + 1}", product=self.product, division=division, organisation=self.bureau, lon=lon, lat=lat, band="ok")
        thing.save()
        Stream(ordinal=1000 + n, external_id=f"tilt-{n}/tilt", thing=thing, property=self.tilt, unit="deg").save()
        return thing

    def figures(self) -> None:
        """Store figures of the vital signs, and count one of them for real."""
        rng, now = np.random.default_rng(7), dt.datetime.now(dt.UTC)
        wanted = {
            "environment.air_pm25_mean": ("month", 31.0, 4),
            "environment.air_good_days": ("year", 0.86, 0.03),
            "environment.air_stations_online": ("day", 0.99, 0.02),
            "screen.cases_in_time": ("month", 0.93, 0.04),
        }
        for name, (unit, middle, spread) in wanted.items():
            indicator = get_indicator(name)
            for back in range(14):
                start = to_datetime(Period.of(now, PeriodUnit(unit), settings.TIME_ZONE).shift(-back).start_us(settings.TIME_ZONE))
                value = float(min(middle + spread * rng.standard_normal(), 1.0 if middle < 1 else 99))
                key = {"indicator": name, "division": self.divisions["9901"], "unit": unit, "start": start}
                IndicatorValue.objects.update_or_create(**key, defaults={"value": value, "numerator": value, "state": indicator.get_state(value), "computed_at": now})
        compute_indicator("screen.alarms_raised", None, Period.of(now, PeriodUnit.DAY, settings.TIME_ZONE))

    def hour(self, west: int, east: int) -> None:
        """Store the air of the hour before this one: indices of both counties, the city and the stations."""
        start = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=1)
        areas = ((self.divisions["9901"], (west + east) // 2), (self.divisions[COUNTIES[0][0]], west), (self.divisions[COUNTIES[1][0]], east))
        subjects = [("division", division, aqi) for division, aqi in areas]
        subjects += [("station", s, (west, east)[n % 2] + n) for n, s in enumerate(self.stations)]
        for kind, subject, aqi in subjects:
            values = {"aqi": aqi, "level": int(np.searchsorted([50, 100, 150, 200, 300], aqi) + 1), "primary": "PM2.5" if aqi > 50 else "", "edition": "HJ 633-2026"}
            values |= {f"{kind}_id": subject.pk, "computed_at": dt.datetime.now(dt.UTC), "stations": 3}
            AirIndex.objects.update_or_create(subject=f"{kind}:{subject.pk}", scale="hour", start=start, defaults=values)

    def user(self, name: str, role: str = "duty-officer", division: str = "", language: str = "zh-hans") -> dict:
        """Make a person with one grant and a session."""
        user = User(username=name, name=name, organisation=self.bureau, language=language)
        user.set_unusable_password()
        with change(SYSTEM, "a person"):
            user.save()
        for code in (role, "environment.leader"):
            create_grant(SYSTEM, "their work", code, user=user, division=self.divisions.get(division))
        store = SessionStore()
        store[SESSION_KEY], store[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[-1]
        store[HASH_SESSION_KEY] = user.get_session_auth_hash()
        store.create()
        _token, text = create_token(SYSTEM, "a program", user)
        return {"session": store.session_key, "token": text}

    def member(self, name: str, roles: list[str], password: str, language: str = "en") -> None:
        """Make a person of the bureau who can log in."""
        user = create_user(SYSTEM, "a person", username=name, name=name, password=password, organisation=self.bureau, language=language)
        for code in roles:
            create_grant(SYSTEM, "their work", code, user=user)

    def second_step(self, name: str) -> str:
        """Give a person a confirmed second step; its `otpauth:` address."""
        user = User.objects.get(username=name)
        address = begin_totp(user).address
        TOTPDevice.objects.filter(user=user).update(confirmed=True)
        return address

    def opened(self, title: str, thing: int = 5) -> str:
        """A person tells of something, and a case is opened for the bureau."""
        at = self.things[thing]
        with change(SYSTEM, "who answers for what"):
            if not Responsibility.objects.exists():
                Responsibility(division=self.divisions["9901"], case_kind="environment.air_pollution", organisation=self.bureau).save()
        where = {"division_id": at.division_id, "lon": at.lon, "lat": at.lat}
        return str(open_case("environment.air_pollution", title, "yellow", SYSTEM, title, key=title, **where).uid)

    def revoke(self, name: str) -> None:
        for grant in Grant.objects.filter(user__username=name):
            end_grant(SYSTEM, "no longer", grant)

    def revoke_role(self, name: str, role: str) -> None:
        for grant in Grant.objects.filter(user__username=name, role__code=role):
            end_grant(SYSTEM, "no longer", grant)

    def revoke_token(self, name: str) -> None:
        for token in Token.objects.filter(user__username=name):
            revoke_token(SYSTEM, "lost", token)

    def end_session(self, key: str) -> None:
        Session.objects.filter(session_key=key).delete()

    def read(self, ordinal: int, value: float) -> None:
        """A reading arrives now."""
        now = int(dt.datetime.now(dt.UTC).timestamp() * 1e6)
        row = np.array([ordinal], np.int64)
        self.writer.update(row, np.array([now]), np.array([value]), np.array([0], np.uint8), np.array([now]))

    def alarm(self, thing: int, title: str, level: str = "orange") -> str:
        """An alarm is raised on a tilt sensor."""
        at = self.things[thing]
        threshold = Threshold.objects.filter(property=self.tilt).first()
        with change(SYSTEM, "facts of the pipeline"):
            if threshold is None:
                threshold = Threshold(property=self.tilt, limit=5, clear=4, level=level, title=title, title_en="Tilt too large", source="local: test")
                threshold.save()
            now = dt.datetime.now(dt.UTC)
            where = {"lon": at.lon, "lat": at.lat, "division": at.division, "organisation": at.organisation}
            what = {"title": title, "level": level, "value": 9, "limit": 5, "unit": "deg", "started_at": now, "raised_at": now}
            alarm = Alarm(key=f"{title}-{now.timestamp()}", thing=at, stream=at.streams.get(), threshold=threshold, **what, **where)
            alarm.save()
        return str(alarm.uid)

    def clear(self, uid: str) -> None:
        alarm = Alarm.objects.get(uid=uid)
        alarm.state, alarm.cleared_at = AlarmState.CLEARED, dt.datetime.now(dt.UTC)
        with change(SYSTEM, "facts of the pipeline"):
            alarm.save()

    def case(self, thing: int, title: str) -> str:
        at, now = self.things[thing], dt.datetime.now(dt.UTC)
        known = Case.objects.filter(title=title).first()
        if known is not None:
            return str(known.uid)
        made = Case(case_no=f"EA{now:%H%M%S%f}", key=f"{title}-{now.timestamp()}", kind="environment.air_pollution", title=title, level="yellow", lon=at.lon, lat=at.lat)
        made.division, made.organisation, made.opened_at, made.state_since = at.division, at.organisation, now, now
        with change(SYSTEM, "an event opened a case"):
            made.save()
        return str(made.uid)

    def band(self, thing: int, band: str) -> None:
        with change(SYSTEM, "facts of the pipeline"):
            at = Thing.objects.get(pk=self.things[thing].pk)
            at.band = band
            at.save()

    def count_in(self, code: str) -> int:
        at = self.divisions[code]
        return Thing.objects.filter(division__left__gte=at.left, division__left__lte=at.right).count()

    def rest(self) -> None:
        """Wait as long as what was read may count as new: half a second, for points and for rights."""
        threading.Event().wait(0.6)

    def facts(self) -> dict:
        return {
            "divisions": {code: str(d.uid) for code, d in self.divisions.items()},
            "things": [str(t.uid) for t in self.things],
            "stations": [str(s.thing.uid) for s in self.stations],
        }


def serve() -> uvicorn.Server:
    from zhongshu.config.web import WebServer

    server = WebServer(uvicorn.Config("zhongshu.config.asgi:application", port=PORT, log_level="warning", lifespan="on", timeout_graceful_shutdown=5))
    server.install_signal_handlers = lambda: None  # type: ignore[method-assign]
    threading.Thread(target=server.run, daemon=True).start()
    return server


def main() -> None:
    city = City()
    server = serve()
    while not server.started:
        threading.Event().wait(0.02)
    print(json.dumps(city.facts()), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "stop":
            server.should_exit = True
            print("null", flush=True)
            continue
        print(json.dumps(getattr(city, asked.pop("do"))(**asked)), flush=True)


main()
