"""Divisions and organisations of the synthetic city as records, with numbered trees, dated codes and edges."""

from collections.abc import Mapping
from typing import Any

from zhongshu.demo.city import City, Organisation as Body
from zhongshu.kernel.place.models import Division, DivisionCode, DivisionEdge
from zhongshu.kernel.record import change
from zhongshu.security.identity import number_tree
from zhongshu.security.identity.models import Organisation, OrganisationKind, Post

from .bulk import BUILDER, WHY, create_records

__all__ = ["CENTRE", "load_divisions", "load_organisations"]

KINDS: Mapping[str, str] = {
    "department": OrganisationKind.BUREAU,
    "county_department": OrganisationKind.BUREAU,
    "office": OrganisationKind.STREET,
    "company": OrganisationKind.COMPANY,
}
CENTRE = "dept-operation"


def load_divisions(city: City) -> dict[str, int]:
    """Create divisions with outlines, codes and edges; returns code → database id. Levels go in one after the other, so that every parent has its id."""
    rows = city.divisions.to_pylist()
    tree = number_tree((row["code"], row["parent_code"]) for row in rows)
    ids: dict[str, int] = {}
    with change(BUILDER, WHY):
        for level in dict.fromkeys(row["level"] for row in rows):
            made = [_build_division(row, ids, tree[row["code"]]) for row in rows if row["level"] == level]
            create_records(Division, made)
            ids.update((row.code, row.pk) for row in made)
        create_records(DivisionCode, (DivisionCode(division_id=ids[row["code"]], code=row["code"], name=row["name_zh"]) for row in rows))
        create_records(DivisionEdge, (DivisionEdge(child_id=ids[r["code"]], parent_id=ids[r["parent_code"]]) for r in rows if r["parent_code"]))
    return ids


def _build_division(row: dict[str, Any], ids: Mapping[str, int], place: tuple[int, int]) -> Division:
    return Division(
        code=row["code"],
        name=row["name_zh"],
        name_en=row["name_en"],
        level=row["level"],
        parent_id=ids.get(str(row["parent_code"])),
        left=place[0],
        right=place[1],
        lon=row["lon"],
        lat=row["lat"],
        shape=row["wkb"],
        area_km2=round(float(str(row["area_m2"])) / 1e6, 4),
        population=row["population"],
    )


def load_organisations(city: City, divisions: Mapping[str, int]) -> dict[str, int]:
    """Create organisations and posts; returns the codes of organisations → database ids."""
    tree = number_tree((body.code, body.parent_code) for body in city.organisations)
    ids: dict[str, int] = {}
    with change(BUILDER, WHY):
        for is_top in (True, False):
            made = [_build_organisation(body, ids, divisions, tree[body.code]) for body in city.organisations if (body.parent_code is None) is is_top]
            create_records(Organisation, made)
            ids.update((row.code, row.pk) for row in made)
        create_records(Post, (Post(code=post.code, title=post.name_zh, organisation_id=ids[post.organisation_code]) for post in city.posts))
    return ids


def _build_organisation(body: Body, ids: Mapping[str, int], divisions: Mapping[str, int], place: tuple[int, int]) -> Organisation:
    return Organisation(
        code=body.code,
        name=body.name_zh,
        name_en=body.name_en,
        kind=OrganisationKind.CENTRE if body.code == CENTRE else KINDS[body.kind],
        parent_id=ids[body.parent_code] if body.parent_code else None,
        division_id=divisions[body.division_code],
        left=place[0],
        right=place[1],
    )
