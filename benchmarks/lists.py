"""Pages over a million things: loaded with history into SQLite, then asked for through the real web process by four logged-in clients at once.

    python -m benchmarks.lists [--things 1000000] [--seconds 20] [--clients 4] [--keep FOLDER]

Everything counts from the request's first byte to the answer's last, sessions, rights and templates included; a client asks again as soon as it is
answered. Limit (HOUSE): p95 ≤ 100 ms over the mix, totals exact to 10,000, and no statement that walks through the whole table; what a statement
touches is counted in steps of SQLite's virtual machine (five to twenty a row). With --keep the built house stays in the folder and is used again.
"""

import argparse
import random
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from benchmarks._house import Person, describe_load, find_free_ports, open_house, print_figures, run_processes, wait_for_page

LIMIT_MS = 100.0
LISTS = "/desk/records/sense-thing/"
API = "/api/v1/sense-thing"
CITY, COUNTY = "duty", "county-officer"
PIECE = 50_000
WITH_STREAMS = 1000
STEP = 10_000
BANDS = ("ok",) * 960 + ("silent",) * 20 + ("high",) * 15 + ("low",) * 5


def build(home: Path, things: int) -> None:
    """Fill a new house."""
    from zhongshu.demo.build.accounts import create_passwords, load_people
    from zhongshu.demo.build.devices import load_products
    from zhongshu.demo.build.places import load_divisions, load_organisations
    from zhongshu.demo.city import build_city

    city, passwords = build_city(1, things), create_passwords()
    divisions = load_divisions(city)
    organisations = load_organisations(city, divisions)
    load_people(city, divisions, organisations, passwords)
    properties = load_products()
    began = time.monotonic()
    load_things(city.things, divisions, organisations, properties)
    took = time.monotonic() - began
    size = (home / "records.sqlite3").stat().st_size / 2**20
    print(f"loaded {things:,} things with history and audit in {took:.0f} s = {things / took:,.0f} things/s; {size:,.0f} MiB; {describe_load()}")


def load_things(table: Any, divisions: dict[str, int], organisations: dict[str, int], properties: dict[tuple[str, str], int]) -> None:
    """The things of the demonstration city; every thousandth with its streams, so that its page has readings to look for."""
    from zhongshu.demo.build.bulk import BUILDER, WHY
    from zhongshu.kernel.record import change
    from zhongshu.packs.environment.air import AIR
    from zhongshu.sense.device.models import Product, Property, Stream, Thing

    products = {code.removeprefix("demo_"): pk for code, pk in Product.objects.values_list("code", "pk")} | {"air": Product.objects.get(code=AIR.code).pk}
    of_product = defaultdict(list)
    for prop in Property.objects.filter(pk__in=properties.values()):
        of_product[prop.product_id].append(prop)
    rng, made = random.Random(1), 0
    for batch in table.to_batches(max_chunksize=PIECE):
        rows = [
            Thing(
                external_id=row["external_id"],
                name=row["name_zh"],
                product_id=products[row["kind"]],
                lon=row["lon"],
                lat=row["lat"],
                division_id=divisions[row["cell_code"]],
                organisation_id=organisations[row["organisation_code"]],
                serial_no=f"ZS{row['thing'] + 1:08d}",
                installed_on=row["installed_on"],
                band=rng.choice(BANDS),
            )
            for row in batch.to_pylist()
        ]
        with change(BUILDER, WHY):
            Thing.objects.bulk_create(rows)
            pairs = [(thing, prop) for thing in rows[::WITH_STREAMS] for prop in of_product[thing.product_id]]
            Stream.objects.bulk_create(
                [Stream(ordinal=made + n, external_id=f"{t.external_id}/{p.code}", thing=t, property=p, unit=p.unit) for n, (t, p) in enumerate(pairs)]
            )
            made += len(pairs)


def build_mix() -> dict[str, tuple[int, str, Callable[[random.Random], str]]]:
    """Return kind of request → (share in the mix, who asks, address for a random number)."""
    from zhongshu.kernel.place.models import Division
    from zhongshu.sense.device.models import Product, Thing

    products = [str(uid) for uid in Product.objects.filter(things__isnull=False).distinct().values_list("uid", flat=True)]
    counties = [str(uid) for uid in Division.objects.filter(level="county").values_list("uid", flat=True)]
    towns = [str(uid) for uid in Division.objects.filter(level="town").values_list("uid", flat=True)]
    ids = list(Thing.objects.filter(streams__isnull=False).distinct().values_list("uid", "external_id"))
    words = ("井盖", "噪声", "水位", "颗粒", "烟感")

    def page(**asked: Any) -> str:
        return f"{LISTS}?{urlencode(asked)}"

    return {
        "first page, city": (12, CITY, lambda r: LISTS),
        "deep page (page 50-200), city": (6, CITY, lambda r: page(page=r.randint(50, 200))),
        "sorted by number or name, city": (8, CITY, lambda r: page(order=r.choice(("external_id", "-external_id", "name", "-name")))),
        "one product, city": (8, CITY, lambda r: page(product=r.choice(products))),
        "one band, city": (8, CITY, lambda r: page(band=r.choice(("ok", "high", "low", "silent")))),
        "one county, city": (6, CITY, lambda r: page(division=r.choice(counties))),
        "one town and product, city": (4, CITY, lambda r: page(division=r.choice(towns), product=r.choice(products))),
        "one county sorted by name, city": (2, CITY, lambda r: page(division=r.choice(counties), order="name")),
        "first page, county officer": (10, COUNTY, lambda r: LISTS),
        "one band, county officer": (6, COUNTY, lambda r: page(band=r.choice(("ok", "high", "low", "silent")))),
        "search, start of a number, city": (6, CITY, lambda r: page(q=r.choice(ids)[1][:-2])),
        "search, Chinese word of two, city": (6, CITY, lambda r: page(q=r.choice(words))),
        "search, Chinese word of two, county officer": (2, COUNTY, lambda r: page(q=r.choice(words))),
        "one thing, city": (10, CITY, lambda r: f"{LISTS}{r.choice(ids)[0]}/"),
        "REST, first 100": (3, CITY, lambda r: f"{API}?limit=100"),
        "REST, next 100 by cursor": (3, CITY, lambda r: f"{API}?limit=100&cursor={quote(build_cursor(r))}"),
    }


def build_cursor(rng: random.Random) -> str:
    """Return a cursor somewhere in the middle, as the interface gives them out."""
    from zhongshu.portal.api.cursor import format_cursor
    from zhongshu.sense.device.models import Thing

    return format_cursor("id", Thing(pk=rng.randint(1, TOTAL[0])))


TOTAL = [0]


def ask(port: int, passwords: dict[str, str], mix: dict[str, Any], clients: int, seconds: float) -> dict[str, list[float]]:
    """Let the clients ask for `seconds` and return the times by kind of request, s."""
    taken: dict[str, list[float]] = defaultdict(list)
    names, shares = list(mix), [share for share, _who, _address in mix.values()]
    failed: list[str] = []

    def work(number: int) -> None:
        rng = random.Random(number)
        people = {login: Person(port, login, passwords[login]) for login in (CITY, COUNTY)}
        ready.wait()
        until = time.monotonic() + seconds
        while time.monotonic() < until and not failed:
            name = rng.choices(names, shares)[0]
            _share, login, address = mix[name]
            path = address(rng)
            began = time.perf_counter()
            status, body = people[login].get(path)
            taken[name].append(time.perf_counter() - began)
            if status != 200:
                failed.append(f"{path}: {status} {body[:300]!r}")

    ready = threading.Barrier(clients)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        sys.exit(failed[0])
    return taken


def list_statements(path: str, login: str) -> Iterator[tuple[str, int, list[str]]]:
    """Answer a page in this process and yield of each statement: text, steps of the virtual machine, query plan."""
    from django.db import connection
    from django.test import Client

    from zhongshu.security.identity import User

    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.get(username=login), backend="django.contrib.auth.backends.ModelBackend")
    with connection.execute_wrapper(note):
        answer = client.get(path)
    if answer.status_code != 200:
        sys.exit(f"{path}: {answer.status_code}")
    raw = connection.connection
    for sql, params in asked:
        if "sense_thing" not in sql or not sql.startswith("SELECT"):
            continue
        steps = [0]
        raw.set_progress_handler(lambda counted=steps: counted.__setitem__(0, counted[0] + 1), STEP)
        with connection.cursor() as cursor:
            cursor.execute(sql, params).fetchall()
        raw.set_progress_handler(None, 0)
        with connection.cursor() as cursor:
            plan = [str(row[3]) for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()]
        yield sql, steps[0] * STEP, plan


def check_plans(mix: dict[str, Any], things: int) -> int:
    """Print every statement that takes more steps than there are things; returns how many kinds of request have one."""
    offenders = 0
    for name, (_share, login, address) in mix.items():
        worst = 0
        for sql, steps, plan in list_statements(address(random.Random(5)), login):
            worst = max(worst, steps)
            if steps > things:
                what = "counts" if "COUNT(" in sql[:40] else "reads"
                print(f"  OFFENDER {name}: {steps / 1e6:.1f} M steps, {what}: {re.sub(r'^SELECT .* FROM', 'SELECT … FROM', sql)[:400]}")
                print("    " + " | ".join(plan))
        offenders += worst > things
        print(f"  {name:<44} largest statement {worst / 1e6:>6.2f} M steps")
    return offenders


def main() -> None:
    """Build or reuse the house, check the plans, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--things", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--keep", type=Path, help="folder in which the built house stays")
    options = parser.parse_args()
    work = options.keep or Path(tempfile.mkdtemp(prefix="zhongshu-bench-"))
    try:
        measure(work.absolute(), options)
    finally:
        if not options.keep:
            shutil.rmtree(work)


def measure(work: Path, options: argparse.Namespace) -> None:
    """One whole run in a folder."""
    (port,) = find_free_ports(1)
    home = work / f"house-{options.things}"
    home.mkdir(parents=True, exist_ok=True)
    open_house(home, web_port=str(port), security_attempts="1000")
    from django.db import connection

    from zhongshu.config.cli.migrate import migrate_records
    from zhongshu.kernel.time import now
    from zhongshu.security.identity import User
    from zhongshu.sense.device.models import Thing

    migrate_records(0)
    whole, passwords = home / "WHOLE", dict.fromkeys((CITY, COUNTY), "a river stone by the bridge")
    if not whole.exists():
        build(home, options.things)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        set_passwords(User, passwords)
        whole.write_text(f"{now():%Y-%m-%d %H:%M} UTC\n", encoding="utf-8")
    TOTAL[0] = Thing.objects.count()
    mix = build_mix()
    print(f"statements over {TOTAL[0]:,} things (limit: none takes more steps than there are things):")
    offenders = check_plans(mix, TOTAL[0])
    connection.close()
    log = home / "web.log"
    with run_processes(["web"], log):
        wait_for_page(f"http://127.0.0.1:{port}/login/", log)
        ask(port, passwords, mix, 1, 3)
        began = time.monotonic()
        taken = ask(port, passwords, mix, options.clients, options.seconds)
        took = time.monotonic() - began
    print(f"{options.clients} clients, {sum(map(len, taken.values())) / took:.0f} pages/s, {describe_load()}; times from request to last byte:")
    for name in mix:
        if taken[name]:
            print_figures(f"{name} ({mix[name][0]} %)", taken[name], LIMIT_MS, 0.95)
    print_figures("the mix without search", [each for name, times in taken.items() if not name.startswith("search") for each in times], LIMIT_MS, 0.95)
    everything = [each for times in taken.values() for each in times]
    ratio = print_figures("the mix", everything, LIMIT_MS, 0.95)
    print(f"lists: p95 of the mix at {ratio:.2f} of its limit; {offenders} of {len(mix)} kinds of request walk through the table")


def set_passwords(users: Any, passwords: dict[str, str]) -> None:
    """Give the two clients passwords that are known to a later run as well: this house is nobody's."""
    from zhongshu.kernel.record import SYSTEM, change

    with change(SYSTEM, "a benchmark logs in"):
        for login, password in passwords.items():
            user = users.objects.get(username=login)
            user.set_password(password)
            user.save()


if __name__ == "__main__":
    main()
