"""Registering things: one at the desk, or a million from a table, with their streams, connections and credentials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from zhongshu.kernel.event import Offset
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import Actor, change
from zhongshu.security.identity.credential import create_credential, hash_secret
from zhongshu.security.identity.models import Organisation
from zhongshu.security.identity.token_models import Credential

from .models import Connection, Product, Property, Protocol, Stream, Thing, ThingState
from .place import locate_divisions

__all__ = ["RegisterError", "Registered", "ThingRow", "allot_ordinals", "create_connection", "create_thing", "register_things"]

ORDINALS = "sense.stream.ordinal"
CHUNK = 10_000


class RegisterError(ValueError):
    """Things that cannot be registered; the message says which row and why. Nothing of that row's block was written."""


@dataclass(frozen=True)
class ThingRow:
    """One thing to register. `external_id` is `<protocol>:<name on the wire>` where it has a connection of its own; `product`, `division`, `organisation` are codes.

    Without a `division` it is the deepest one whose outline holds the place.
    """

    external_id: str
    name: str
    product: str
    lon: float | None = None
    lat: float | None = None
    division: str | None = None
    organisation: str | None = None
    address: str = ""
    serial_no: str = ""
    installed_on: date | None = None
    state: str = ThingState.IN_SERVICE.value
    protocol: str | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    secret: str = ""


@dataclass(frozen=True)
class Registered:
    """How many were made; those whose number existed are left as they are and counted as `known`."""

    things: int
    streams: int
    connections: int
    known: int


def allot_ordinals(count: int) -> int:
    """Return the first of `count` stream ordinals that nobody had and nobody will have; inside an open change, which holds the write lock."""
    row, _ = Offset.objects.select_for_update().get_or_create(consumer=ORDINALS)
    first = row.position
    row.position += count
    row.save()
    return first


def register_things(rows: pa.Table | Sequence[ThingRow], by: Actor, why: str) -> Registered:
    """Register things with one stream per property of their product, and connections where a protocol is named.

    A table has the fields of `ThingRow` as columns (missing ones take the default). Written in blocks of 10,000 things, each in one change with one audit entry per kind;
    killed half-way, the same call goes on where it stopped. Raises `RegisterError`.
    """
    known = _Known()
    total = [0, 0, 0, 0]
    size = rows.num_rows if isinstance(rows, pa.Table) else len(rows)
    for start in range(0, size, CHUNK):
        block = _read_block(rows, start)
        for place, made in enumerate(_register_block(block, known, by, why)):
            total[place] += made
    return Registered(*total)


def create_thing(row: ThingRow, by: Actor, why: str) -> Thing:
    """Register one thing with its streams (and connection) and return it. Raises `RegisterError` when its number is taken."""
    if Thing.objects.filter(external_id=row.external_id).exists():
        raise RegisterError(f"there is a thing {row.external_id} already")
    register_things([row], by, why)
    return Thing.objects.get(external_id=row.external_id)


def create_connection(
    source: str, protocol: Protocol, by: Actor, why: str, *, thing: Thing | None = None, profile: Mapping[str, Any] | None = None, secret: str | None = None
) -> tuple[Connection, str]:
    """Let a source connect and return its connection with its secret. `secret` "" makes one, None gives none (anyone who knows the name may then send)."""
    organisation = thing.organisation if thing else None
    with change(by, why):
        connection = Connection(source=source, protocol=protocol, thing=thing, profile=dict(profile or {}), organisation=organisation)
        connection.save()
        if secret is None:
            return connection, ""
        return connection, create_credential(by, why, source, secret, organisation)[1]


class _Known:
    """Codes → ids, read once."""

    def __init__(self) -> None:
        self.products = dict(Product.objects.values_list("code", "id"))
        self.divisions = dict(Division.objects.values_list("code", "id"))
        self.organisations = dict(Organisation.objects.values_list("code", "id"))
        self.properties: dict[int, list[tuple[int, str, str]]] = {}
        for pk, product, code, unit in Property.objects.order_by("id").values_list("id", "product_id", "code", "unit"):
            self.properties.setdefault(product, []).append((pk, code, unit))

    def get(self, what: str, codes: Mapping[str, int], code: str | None, row: ThingRow) -> int | None:
        if code is None or code == "":
            return None
        if code not in codes:
            raise RegisterError(f"{row.external_id}: there is no {what} {code!r}")
        return codes[code]


def _read_block(rows: pa.Table | Sequence[ThingRow], start: int) -> list[ThingRow]:
    if not isinstance(rows, pa.Table):
        return list(rows[start : start + CHUNK])
    names = [name for name in ThingRow.__dataclass_fields__ if name in rows.column_names]
    return [ThingRow(**{key: value for key, value in row.items() if value is not None}) for row in rows.slice(start, CHUNK).select(names).to_pylist()]


def _register_block(block: list[ThingRow], known: _Known, by: Actor, why: str) -> tuple[int, int, int, int]:
    with change(by, why):
        ids = [row.external_id for row in block]
        taken: set[str] = set()
        for start in range(0, len(ids), 500):
            taken.update(Thing.objects.filter(external_id__in=ids[start : start + 500]).values_list("external_id", flat=True))
        fresh = list({row.external_id: row for row in block if row.external_id not in taken}.values())
        things = [_build_thing(row, known) for row in fresh]
        _place(things)
        things = Thing.objects.bulk_create(things)
        streams = _build_streams(things, known)
        Stream.objects.bulk_create(streams)
        connections = [
            Connection(source=row.external_id, protocol=Protocol(row.protocol), thing=thing, profile=dict(row.profile), organisation_id=thing.organisation_id)
            for row, thing in zip(fresh, things, strict=True)
            if row.protocol
        ]
        Connection.objects.bulk_create(connections)
        Credential.objects.bulk_create(
            [
                Credential(source=row.external_id, hash=hash_secret(row.external_id, row.secret), organisation_id=thing.organisation_id)
                for row, thing in zip(fresh, things, strict=True)
                if row.protocol and row.secret
            ]
        )
    return len(things), len(streams), len(connections), len(block) - len(fresh)


def _build_thing(row: ThingRow, known: _Known) -> Thing:
    product = known.get("product", known.products, row.product, row)
    if product is None:
        raise RegisterError(f"{row.external_id}: a thing needs a product")
    if (row.lon is None) != (row.lat is None) or not (-180 <= (row.lon or 0) <= 180 and -90 <= (row.lat or 0) <= 90):
        raise RegisterError(f"{row.external_id}: lon {row.lon}, lat {row.lat} is no place on earth (WGS84, longitude first)")
    return Thing(
        external_id=row.external_id,
        name=row.name,
        product_id=product,
        state=row.state,
        serial_no=row.serial_no,
        installed_on=row.installed_on,
        lon=row.lon,
        lat=row.lat,
        address=row.address,
        division_id=known.get("division", known.divisions, row.division, row),
        organisation_id=known.get("organisation", known.organisations, row.organisation, row),
    )


def _place(things: Sequence[Thing]) -> None:
    """A thing with a place and no named division belongs to the one it stands in, or those who act there would never see it."""
    open_ = [(thing, thing.lon, thing.lat) for thing in things if thing.division_id is None and thing.lon is not None and thing.lat is not None]
    found = locate_divisions([lon for _thing, lon, _lat in open_], [lat for _thing, _lon, lat in open_])
    for (thing, _lon, _lat), division in zip(open_, found, strict=True):
        thing.division_id = division


def _build_streams(things: Sequence[Thing], known: _Known) -> list[Stream]:
    wanted = [(thing, *prop) for thing in things for prop in known.properties.get(thing.product_id, ())]
    first = allot_ordinals(len(wanted)) if wanted else 0
    return [
        Stream(ordinal=first + place, external_id=f"{thing.external_id}/{code}", thing_id=thing.pk, property_id=pk, unit=unit)
        for place, (thing, pk, code, unit) in enumerate(wanted)
    ]
