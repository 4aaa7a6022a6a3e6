"""`zhongshu replay`: recorded measurements as live frames."""

import asyncio
import hashlib
import time
from datetime import datetime
from pathlib import Path

import click
from django.conf import settings

from zhongshu.config.cli.main import Failure
from zhongshu.demo.replay import Hours, PrsaError, Sender, SenderError, read_prsa
from zhongshu.kernel.home import House
from zhongshu.kernel.record import Actor
from zhongshu.sense.device.models import Product, Thing
from zhongshu.sense.device.publish import publish_all
from zhongshu.sense.device.register import RegisterError, ThingRow, register_things
from zhongshu.sense.protocol.hj212 import AMBIENT_UNITS

__all__ = ["build_mn", "build_row", "command"]

PRODUCT = "air_station"
PASSWORD = "123456"  # noqa: S105 the six characters HJ 212 leaves to each logger; a local replay's own
PROFILE = {"zone": 8, "label": "start", "units": dict(AMBIENT_UNITS)}
PLACES = {
    "Aotizhongxin": (116.397, 39.982),
    "Dingling": (116.220, 40.292),
    "Guanyuan": (116.339, 39.929),
    "Huairou": (116.628, 40.328),
    "Shunyi": (116.655, 40.127),
    "Wanliu": (116.287, 39.987),
}
"""Where the stations stand, to about a kilometre (WGS84; local: names of the places)."""


@click.group()
def command() -> None:
    """Play recorded measurements into the running gateway."""


@command.command("air-quality")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--speed", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Hours played in one hour of real time; 0 = as fast as answers come.")
@click.option("--as-now", is_flag=True, help="Move the series by whole days so that its last day is today; hours that are not over yet are left out.")
@click.option("--last-days", type=click.IntRange(min=1), help="Play only the last N days.")
@click.option("--register/--no-register", default=True, show_default=True, help="Register stations the installation does not know yet.")
@click.option("--product", default=PRODUCT, show_default=True, help="Product the stations are registered as.")
@click.option("--division", help="Code of the division the stations are registered in (default: the one their place lies in).")
@click.option("--organisation", help="Code of the organisation they are registered for.")
@click.option("--host", help="Gateway's address (default: this installation's).")
@click.option("--port", type=int, help="Gateway's HJ 212 port (default: this installation's).")
def air_quality(
    files: tuple[Path, ...],
    speed: float,
    as_now: bool,
    last_days: int | None,
    register: bool,
    product: str,
    division: str | None,
    organisation: str | None,
    host: str | None,
    port: int | None,
) -> None:
    """Play PRSA_Data_<station>_….csv[.gz] FILES as HJ 212-2017 air stations (ST=22, CN=2061), several at once.

    Each hour is sent as a data logger sends it: over TCP, with flags, kept until its 9014 has come. CO is converted from the file's µg/m³ to mg/m³.
    """
    house: House = settings.HOUSE
    try:
        series = [read_prsa(path) for path in files]
    except PrsaError as error:
        raise Failure(str(error)) from error
    if as_now:
        series = [_move(hours, datetime.now(house.zone)) for hours in series]
    if last_days:
        series = [hours.last(last_days * 24) for hours in series]
    if register:
        _register(house, [build_row(hours.station, product, division, organisation) for hours in series])
    pause_s = 3600 / speed if speed else 0.0
    target = (host or house.gateway.host, port or house.gateway.hj212_port)
    senders = [Sender(hours, build_mn(hours.station), PASSWORD, *target, pause_s=pause_s) for hours in series]
    started = time.monotonic()
    try:
        asyncio.run(_play(senders))
    except SenderError as error:
        raise Failure(f"{error}. Is the gateway running (zhongshu run) and the station registered?") from error
    seconds = time.monotonic() - started
    total = sum(sender.answered for sender in senders)
    click.echo(f"{total} hours of {len(senders)} stations taken in {seconds:.1f} s; {sum(s.resent for s in senders)} sent again.")


def build_mn(station: str) -> str:
    """Return the station's number on the wire: 24 characters (HJ 212-2017: MN), the same for the same name."""
    return f"PRSA{hashlib.blake2b(station.encode(), digest_size=10).hexdigest().upper()}"


def build_row(station: str, product: str = PRODUCT, division: str | None = None, organisation: str | None = None) -> ThingRow:
    """Return how a station is registered."""
    lon, lat = PLACES.get(station, (None, None))
    return ThingRow(
        f"hj212:{build_mn(station)}",
        station,
        product,
        lon=lon,
        lat=lat,
        division=division,
        organisation=organisation,
        protocol="hj212",
        profile=PROFILE,
        secret=PASSWORD,
    )


def _register(house: House, rows: list[ThingRow]) -> None:
    product = rows[0].product
    if not Product.objects.filter(code=product).exists():
        known = ", ".join(Product.objects.values_list("code", flat=True)) or "none (run zhongshu migrate)"
        raise Failure(f"there is no product {product!r} to register the stations as; known are {known}")
    by, why = Actor("system", "replay"), "stations of a replayed data set"
    try:
        made = register_things(rows, by, why)
    except RegisterError as error:
        raise Failure(str(error)) from error
    click.echo(f"{made.things} stations registered, {made.known} known already.")
    lost = Thing.objects.filter(external_id__in=[row.external_id for row in rows], division__isnull=True).values_list("name", flat=True)
    if lost:
        click.echo(f"In no division, so only seen by those who may see all: {', '.join(lost)}. Give new ones a place in the tree with --division.", err=True)
    publish_all(house)


def _move(hours: Hours, now: datetime) -> Hours:
    moved, days = hours.shift_days(now)
    if not len(moved):
        raise Failure(f"{hours.station}: nothing of the series is over yet when its last day is today")
    click.echo(
        f"{hours.station}: moved by {days} days (hour of day kept); last hour {moved.start[-1]:%Y-%m-%d %H:%M}, {len(hours) - len(moved)} hours of today not over yet."
    )
    return moved


async def _play(senders: list[Sender]) -> None:
    reporting = asyncio.create_task(_report(senders))
    try:
        async with asyncio.TaskGroup() as group:
            for sender in senders:
                group.create_task(sender.run())
    except* SenderError as errors:
        raise errors.exceptions[0] from None
    finally:
        reporting.cancel()


async def _report(senders: list[Sender]) -> None:
    while True:
        await asyncio.sleep(2)
        for sender in senders:
            click.echo(f"{sender.hours.station}: {sender.answered} of {len(sender.hours)} hours taken, {sender.resent} sent again", err=True)
