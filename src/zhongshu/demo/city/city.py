"""The whole demonstration city from a seed and a number of things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from ...kernel.place import compute_area_m2, compute_label_point, format_cell_code
from .land import Land, build_land
from .names import CITY, COUNTIES, NamePool
from .people import Organisation, Person, Post, build_organisations, build_people
from .streets import build_buildings, build_streets
from .things import build_streams, build_things, check_size

__all__ = ["City", "build_city"]

_CITY_CODE = "9901"
_DENSITY = {270.0: 16_000, 330.0: 9000, 420.0: 6000, 430.0: 8000, 660.0: 2500, 840.0: 1500, 900.0: 1800}


@dataclass(frozen=True)
class City:
    """Everything there is before anything talks. Tables are Arrow; positions are WGS84 degrees, shapes WKB.

    ``divisions``: code, parent_code (null for the city), level, name_zh, name_en, lon, lat (label point), area_m2,
    population, wkb, in the order city, counties, towns, villages, cells. Children tile their parent exactly.
    ``things`` and ``streams`` as :func:`.things.build_things` and :func:`.things.build_streams` say.
    """

    seed: int
    land: Land
    divisions: pa.Table
    streets: pa.Table
    buildings: pa.Table
    organisations: list[Organisation]
    posts: list[Post]
    people: list[Person]
    things: pa.Table
    streams: pa.Table


def build_city(seed: int = 1, things: int = 1000) -> City:
    """Build the city; equal arguments give equal tables. ``things`` from 100 to 1,000,000, else ``ValueError``."""
    check_size(things)
    land = build_land(seed)
    divisions, cell_codes, towns = _build_divisions(seed, land)
    streets = build_streets(seed, land)
    buildings = build_buildings(seed, land, streets, int(np.clip(4 * things, 4000, 40_000)))
    organisations, posts = build_organisations(seed, towns, companies=int(np.clip(things // 50, 20, 400)))
    table = build_things(seed, land, cell_codes, things)
    return City(seed, land, divisions, streets, buildings, organisations, posts, build_people(seed, posts), table,
                build_streams(seed, table))  # fmt: skip


def _build_divisions(seed: int, land: Land) -> tuple[pa.Table, NDArray[np.object_], list[tuple[str, str, str]]]:
    pool = NamePool(np.random.default_rng([seed, 5]))
    people = _count_people(seed, land)
    rows: list[tuple[str, str | None, str, str, str]] = [(_CITY_CODE, None, "city", *CITY)]
    county_codes = [_CITY_CODE + suffix for suffix, *_ in COUNTIES]
    rows += [(code, _CITY_CODE, "county", zh, en) for code, (_, zh, en, _) in zip(county_codes, COUNTIES, strict=True)]
    urban = np.array([np.median(land.spacing[land.town == t]) <= 450 for t in range(len(land.town_county))])
    town_codes = _number_towns(land, county_codes, urban)
    towns = []
    for code, is_urban, county in zip(town_codes, urban, land.town_county, strict=True):
        zh, en = pool.take()
        street = is_urban and COUNTIES[county][3] != "county"
        zh, en = (zh + "街道", f"{en} Subdistrict") if street else (zh + "镇", f"{en} Town")
        rows.append((code, county_codes[county], "town", zh, en))
        towns.append((code, zh, en))
    village_codes = _number_villages(land, town_codes)
    for v, code in enumerate(village_codes):
        zh, en = pool.take()
        community = np.median(land.spacing[land.village == v]) <= 450
        zh, en = (zh + "社区", f"{en} Community") if community else (zh + "村", f"{en} Village")
        rows.append((code, town_codes[land.village_town[v]], "village", zh, en))
    cell_codes = _number_cells(land, village_codes)
    names = {row[0]: row[3:] for row in rows}
    for code in cell_codes:
        zh, en = names[code[:12]]
        rows.append((code, code[:12], "cell", f"{zh}第{int(code[12:])}网格", f"{en}, cell {int(code[12:])}"))
    shapes = _merge_shapes(land)
    return _tabulate(rows, shapes, _sum_people(land, people)), cell_codes, towns


def _number_towns(land: Land, county_codes: list[str], urban: NDArray[np.bool_]) -> list[str]:
    """Street offices from 001, towns from 100 (GB/T 10114), inside each county."""
    used: dict[str, int] = {}
    codes = []
    for t, county in enumerate(land.town_county):
        start = 1 if urban[t] and COUNTIES[county][3] != "county" else 100
        key = f"{county}-{start}"
        used[key] = used.get(key, start - 1) + 1
        codes.append(f"{county_codes[county]}{used[key]:03d}")
    return codes


def _number_villages(land: Land, town_codes: list[str]) -> list[str]:
    """Communities from 001, villages from 200, inside each town."""
    used: dict[tuple[int, int], int] = {}
    codes = []
    for v, t in enumerate(land.village_town.tolist()):
        start = 1 if np.median(land.spacing[land.village == v]) <= 450 else 200
        used[t, start] = used.get((t, start), start - 1) + 1
        codes.append(f"{town_codes[t]}{used[t, start]:03d}")
    return codes


def _number_cells(land: Land, village_codes: list[str]) -> NDArray[np.object_]:
    """Cells are in rows from north to south already; serials follow inside each village."""
    codes = np.empty(len(land.village), dtype=object)
    used = np.zeros(len(village_codes), dtype=np.int64)
    for i, v in enumerate(land.village):
        used[v] += 1
        codes[i] = format_cell_code(village_codes[v], int(used[v]))
    return codes


def _merge_shapes(land: Land) -> NDArray[np.object_]:
    """Outlines of city, counties, towns, villages and cells: unions over shared borders, nothing recomputed."""
    town = land.village_town
    villages = np.array([shapely.coverage_union_all(land.polygons[land.village == v]) for v in range(len(town))])
    towns = np.array([shapely.coverage_union_all(villages[town == t]) for t in range(len(land.town_county))])
    counties = np.array([shapely.coverage_union_all(towns[land.town_county == c]) for c in range(len(COUNTIES))])
    return np.concatenate([[shapely.coverage_union_all(counties)], counties, towns, villages, land.polygons])


def _count_people(seed: int, land: Land) -> NDArray[np.int64]:
    rng = np.random.default_rng([seed, 6])
    per_km2 = np.array([_DENSITY.get(float(s), 140) for s in land.spacing])
    return (shapely.area(land.metres) / 1e6 * per_km2 * rng.uniform(0.6, 1.4, len(per_km2))).astype(np.int64)


def _sum_people(land: Land, people: NDArray[np.int64]) -> NDArray[np.int64]:
    levels = [np.bincount(group, people).astype(np.int64) for group in (land.county, land.town, land.village)]
    return np.concatenate([[people.sum()], *levels, people])


def _tabulate(rows: list[tuple[str, str | None, str, str, str]], shapes: NDArray[np.object_], people: NDArray[np.int64]) -> pa.Table:
    label = shapely.get_coordinates(shapely.point_on_surface(shapes))
    for i, row in enumerate(rows):
        if row[2] in ("city", "county", "town"):
            label[i] = compute_label_point(shapes[i])
    code, parent, level, zh, en = zip(*rows, strict=True)
    return pa.table(
        {
            "code": pa.array(code),
            "parent_code": pa.array(parent),
            "level": pa.array(level).dictionary_encode(),
            "name_zh": pa.array(zh),
            "name_en": pa.array(en),
            "lon": label[:, 0],
            "lat": label[:, 1],
            "area_m2": pa.array([compute_area_m2(s) for s in shapes]),
            "population": people,
            "wkb": pa.array(shapely.to_wkb(shapes), pa.binary()),
        }
    )
