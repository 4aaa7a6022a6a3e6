"""Devices of the synthetic city as records: products, things, streams, limits, connections, air stations, and who answers for what."""

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.demo.city import KINDS, City, Kind
from zhongshu.demo.city.things import Property as Measure
from zhongshu.kernel.record import change
from zhongshu.packs.environment.air import AIR, POLLUTION_CASE, AirStation
from zhongshu.packs.environment.codes import StationKind, StationLevel
from zhongshu.security.identity import Credential
from zhongshu.security.identity.credential import hash_secret
from zhongshu.sense.device.models import Connection, Product, Property, Protocol, Stream, Thing, Threshold, ThresholdLevel, ThresholdOp
from zhongshu.sense.device.register import allot_ordinals
from zhongshu.work.case.models import Responsibility

from .bulk import BUILDER, WHY, create_records
from .wiring import REAL_TIME_S, Wiring

__all__ = ["load_connections", "load_products", "load_responsibilities", "load_stations", "load_things"]

NAMES: Mapping[str, tuple[str, str]] = {
    "pm25": ("PM2.5", "PM2.5"),
    "pm10": ("PM10", "PM10"),
    "laeq": ("等效声级", "Equivalent sound level"),
    "level": ("水位", "Water level"),
    "tilt": ("倾角", "Tilt"),
    "battery": ("电池电压", "Battery voltage"),
    "obscuration": ("减光率", "Obscuration"),
    "temperature": ("气温", "Air temperature"),
    "humidity": ("相对湿度", "Relative humidity"),
    "wind": ("风速", "Wind speed"),
    "rain": ("雨量", "Rain"),
}
ICONS: Mapping[str, str] = {"micro": "cloud-fog", "noise": "volume", "level": "ripple", "manhole": "circle-dotted", "smoke": "flame", "weather": "cloud-rain"}
LEVELS: Mapping[str, str] = {"tilt": ThresholdLevel.ORANGE, "obscuration": ThresholdLevel.RED, "battery": ThresholdLevel.BLUE}
"""How serious a limit of a measure is; yellow where nothing is said (local: demo city)."""

SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
HJ212_PROFILE = {"zone": 8, "label": "start"}


def load_products() -> dict[tuple[str, str], int]:
    """Create what no pack brings: products, properties and limits; returns (kind, property) → database id of the property. Feeds must have been synced before."""
    found = {("air", code): pk for code, pk in Property.objects.filter(product__code=AIR.code).values_list("code", "id")}
    with change(BUILDER, WHY):
        for kind in KINDS:
            if kind.code != "air":
                found.update(_load_product(kind))
        found.update(_load_real_time())
    return found


def _load_product(kind: Kind) -> dict[tuple[str, str], int]:
    product = Product(code=f"demo_{kind.code}", name=kind.name_zh, name_en=kind.name_en, icon=ICONS[kind.code])
    product.save()
    found = {}
    for place, measure in enumerate(kind.properties):
        name, name_en = NAMES[measure.code]
        row = Property(
            product=product,
            code=measure.code,
            name=name,
            name_en=name_en,
            unit=measure.unit,
            period_s=kind.period_s,
            silent_after_s=3 * kind.period_s,
            low=measure.low,
            high=measure.high,
            decimals=measure.digits,
            headline=place == 0,
        )
        row.save()
        found[kind.code, measure.code] = row.pk
        if measure.op:
            _build_threshold(row, measure, name, name_en).save()
    return found


def _build_threshold(row: Property, measure: Measure, name: str, name_en: str) -> Threshold:
    is_above = measure.op == "gt"
    return Threshold(
        property=row,
        op=ThresholdOp.ABOVE if is_above else ThresholdOp.BELOW,
        limit=measure.limit,
        clear=measure.clear,
        for_s=measure.for_s,
        level=LEVELS.get(measure.code, ThresholdLevel.YELLOW),
        title=f"{name}{'超限' if is_above else '过低'}",
        title_en=f"{name_en} {'above' if is_above else 'below'} the limit",
        source=measure.source,
    )


def _load_real_time() -> dict[tuple[str, str], int]:
    """Real-time values beside the hourly means of the air feed: the same pollutants, without limits of their own."""
    made = []
    for mean in Property.objects.filter(product__code=AIR.code, code__endswith="-Avg", code__startswith="a").exclude(code__startswith="a01").order_by("id"):
        made.append(
            Property(
                product_id=mean.product_id,
                code=mean.code.replace("-Avg", "-Rtd"),
                name=f"{mean.name}(实时)",
                name_en=f"{mean.name_en} (real-time)",
                unit=mean.unit,
                period_s=REAL_TIME_S,
                silent_after_s=10 * REAL_TIME_S,
                low=mean.low,
                high=mean.high,
                decimals=mean.decimals,
            )
        )
    create_records(Property, made)
    return {("air", row.code): row.pk for row in made}


def load_things(city: City, wiring: Wiring, properties: Mapping[tuple[str, str], int], divisions: Mapping[str, int], organisations: Mapping[str, int]) -> list[int]:
    """Create things and their streams; returns the database ids of the things in the order of `City.things`. A stream's ordinal is its number in `wiring`."""
    products = {kind.code: Product.objects.get(code=AIR.code if kind.code == "air" else f"demo_{kind.code}").pk for kind in KINDS}
    ids: list[int] = []

    def build() -> Iterator[Thing]:
        for batch in city.things.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                yield _build_thing(row, products, divisions, organisations)

    with change(BUILDER, WHY):
        create_records(Thing, build())
        ids = list(Thing.objects.order_by("id").values_list("id", flat=True))
        kinds = city.things["kind"].to_pylist()
        if allot_ordinals(wiring.streams.num_rows) != 0:
            raise RuntimeError("the demonstration's streams must be the first of their installation")
        create_records(Stream, _build_streams(wiring.streams, ids, kinds, properties))
    return ids


def _build_thing(row: Mapping[str, Any], products: Mapping[str, int], divisions: Mapping[str, int], organisations: Mapping[str, int]) -> Thing:
    return Thing(
        external_id=row["external_id"],
        name=row["name_zh"],
        product_id=products[row["kind"]],
        lon=row["lon"],
        lat=row["lat"],
        division_id=divisions[row["cell_code"]],
        organisation_id=organisations[row["organisation_code"]],
        serial_no=f"ZS{row['thing'] + 1:08d}",
        installed_on=row["installed_on"],
    )


def _build_streams(streams: pa.Table, ids: list[int], kinds: list[str], properties: Mapping[tuple[str, str], int]) -> Iterator[Stream]:
    for batch in streams.select(["stream", "external_id", "thing", "property", "unit"]).to_batches(max_chunksize=10_000):
        for number, external, thing, prop, unit in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield Stream(ordinal=number, external_id=external, thing_id=ids[thing], property_id=properties[kinds[thing], prop], unit=unit)


def load_connections(wiring: Wiring, things: list[int], organisations: Mapping[str, int]) -> dict[str, str]:
    """Create a connection and a credential for every station and every concentrator; returns name → secret, in clear only in the simulators' plan."""
    connections, credentials, made = [], [], {}
    for name, protocol, thing in wiring.sources:
        is_station = thing >= 0
        source, organisation = f"{protocol}:{name}", organisations["dept-environment" if is_station else "dept-data"]
        # HJ 212-2017, 6.3: the access password PW has six characters
        made[name] = "".join(secrets.choice(SIGNS) for _ in range(6)) if is_station else secrets.token_urlsafe(18)
        connections.append(
            Connection(
                source=source,
                protocol=Protocol.HJ212 if is_station else Protocol.MQTT,
                thing_id=things[thing] if is_station else None,
                organisation_id=organisation,
                profile=HJ212_PROFILE if is_station else {},
            )
        )
        credentials.append(Credential(source=source, hash=hash_secret(source, made[name]), organisation_id=organisation))
    with change(BUILDER, WHY):
        create_records(Connection, connections)
        create_records(Credential, credentials)
    return made


def load_stations(city: City, things: list[int], divisions: Mapping[str, int], organisations: Mapping[str, int]) -> None:
    """Create an air station for every device of the kind."""
    kinds = {"assessment": StationKind.ASSESSMENT, "control": StationKind.CONTROL, "roadside": StationKind.ROADSIDE, "township": StationKind.ASSESSMENT}
    levels = {"township": StationLevel.COUNTY, "control": StationLevel.PROVINCIAL}
    made = []
    for row in city.things.filter(pc.equal(pc.cast(city.things["kind"], pa.string()), "air")).to_pylist():
        made.append(
            AirStation(
                station_no=f"9901{row['thing'] + 1:04d}A",
                name=row["name_zh"],
                kind=kinds[row["subkind"]],
                level=levels.get(row["subkind"], StationLevel.MUNICIPAL),
                mn=row["client"],
                thing_id=things[row["thing"]],
                opened_on=row["installed_on"],
                lon=row["lon"],
                lat=row["lat"],
                division_id=divisions[row["cell_code"]],
                organisation_id=organisations[row["organisation_code"]],
            )
        )
    with change(BUILDER, WHY):
        create_records(AirStation, made)


def load_responsibilities(divisions: Mapping[str, int], organisations: Mapping[str, int]) -> None:
    """The environment bureau answers for the city, its county branches for their counties."""
    rows = [("9901", "dept-environment")]
    rows += [(code, f"dept-environment-{code[4:]}") for code in divisions if len(code) == 6]
    with change(BUILDER, WHY):
        create_records(Responsibility, (Responsibility(division_id=divisions[d], case_kind=POLLUTION_CASE.name, organisation_id=organisations[o]) for d, o in rows))
