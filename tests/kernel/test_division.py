"""Codes with validity, trees, closures and boundary changes, by hand and against the national lists."""

import csv
import datetime as dt
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.kernel.place import (
    DatedCode,
    DatedCodes,
    DivisionChange,
    DivisionError,
    DivisionTree,
    Edge,
    Level,
    build_closure,
    parse_division_code,
    reattribute,
)

REAL = Path(os.environ.get("ZHONGSHU_REALDATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
LISTS = REAL / "admin_divisions"
needs_lists = pytest.mark.skipif(not LISTS.exists(), reason="the national division lists are not on this machine")
TODAY = dt.date(2026, 11, 1)


def test_longnan_and_ganxian_keep_one_id_over_two_codes():
    # 龙南 became a city on 2020-06-30 by notice, 赣县 a district in 2016; the exact days are set here, not looked up
    turn, other = dt.date(2020, 6, 30), dt.date(2016, 10, 18)
    codes = DatedCodes(
        [
            DatedCode(1, "360727", valid_until=turn),
            DatedCode(1, "360783", turn),
            DatedCode(2, "360721", valid_until=other),
            DatedCode(2, "360704", other),
        ]
    )
    assert codes.find_id("360727", dt.date(2019, 1, 1)) == codes.find_id("360783", TODAY) == 1
    assert codes.find_id("360727", TODAY) is None
    assert codes.find_id_ever("360727") == 1
    assert codes.find_code(1, turn) == "360783"
    assert codes.find_code(2, dt.date(2016, 10, 17)) == "360721"


def test_two_codes_on_one_day_are_refused():
    with pytest.raises(DivisionError, match="overlap"):
        DatedCodes([DatedCode(1, "360727"), DatedCode(1, "360783", dt.date(2020, 1, 1))])


@pytest.mark.parametrize(
    ("text", "digits", "level"),
    [
        ("36", "36", Level.PROVINCE),
        ("360000", "36", Level.PROVINCE),
        ("360700", "3607", Level.CITY),
        ("360783", "360783", Level.COUNTY),
        ("360702001", "360702001", Level.TOWN),
        ("360702001001", "360702001001", Level.VILLAGE),
        ("360702001000", "360702001", Level.TOWN),
        ("360702001001003", "360702001001003", Level.CELL),
        ("990102001001003", "990102001001003", Level.CELL),
    ],
)
def test_codes_of_every_level_are_read(text, digits, level):
    code = parse_division_code(text)
    assert (code.digits, code.level) == (digits, level)


@pytest.mark.parametrize("text", ["", "3607x1", "361", "990", "780101", "360002", "360702000001", "3607020010010"])
def test_wrong_codes_are_refused(text):
    with pytest.raises(DivisionError):
        parse_division_code(text)


@needs_lists
def test_every_code_of_the_national_list_is_read_and_has_its_parent():
    with (LISTS / "cd_streets.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 40_000
    for row in rows:
        code = parse_division_code(row["code"])
        if row["code"].endswith("000"):  # 350527000: the list's placeholder for a county without towns
            assert code.level == Level.COUNTY
            continue
        assert code.level == Level.TOWN
        assert code.parent is not None and code.parent.printed == row["areaCode"]


@needs_lists
def test_the_villages_of_ganzhou_form_one_tree():
    edges, ids, order = [Edge(0, None)], {"3607": 0}, {0: "3607"}

    def add(code: str) -> None:
        parent = parse_division_code(code).parent
        if code in ids:
            return
        add(parent.digits)
        ids[code] = len(ids)
        order[ids[code]] = code
        edges.append(Edge(ids[code], ids[parent.digits]))

    with (LISTS / "cd_villages_ganzhou.csv").open(encoding="utf-8") as file:
        codes = [row["code"] for row in csv.DictReader(file)]
    for code in codes:
        add(code)
    tree = DivisionTree(edges, TODAY, order)
    left, right = tree.get_interval(ids["360702"])
    inside = [c for c in codes if left <= tree.left[ids[c]] < right]
    assert inside == sorted(c for c in codes if c.startswith("360702"))
    assert [order[i] for i in tree.list_ancestors(ids[codes[0]])] == ["360702001", "360702", "3607"]


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60))
def test_intervals_say_the_same_as_walking_up(draws):
    edges = [Edge(i, None if i == 0 else draw % i) for i, draw in enumerate(draws)]
    tree = DivisionTree(edges, TODAY)
    for edge in edges:
        above = {edge.id, *tree.list_ancestors(edge.id)}
        assert {a for a in tree.left if tree.is_inside(edge.id, a)} == above
        assert len(tree.list_descendants(edge.id)) == tree.right[edge.id] - tree.left[edge.id] - 1
    closure = {(r.ancestor_id, r.descendant_id) for r in build_closure(edges)} if max(tree.depth.values()) <= 16 else None
    if closure is not None:
        assert closure == {(a, d) for d in tree.left for a in tree.left if tree.is_inside(d, a)}


def test_a_closure_row_holds_only_while_every_edge_of_its_chain_holds():
    move = dt.date(2016, 10, 18)
    rows = build_closure([Edge(1, None), Edge(2, 1), Edge(3, 1), Edge(9, 2, valid_until=move), Edge(9, 3, move), Edge(10, 9)])
    spans = {(r.ancestor_id, r.descendant_id): (r.valid_from, r.valid_until) for r in rows}
    assert spans[2, 10] == (dt.date.min, move)
    assert spans[3, 10] == (move, None)
    assert spans[1, 10] == (dt.date.min, None)
    assert spans[9, 10] == (dt.date.min, None)


def test_circles_orphans_and_two_parents_are_refused():
    with pytest.raises(DivisionError, match="circle"):
        DivisionTree([Edge(1, 2), Edge(2, 1)], TODAY)
    with pytest.raises(DivisionError, match="does not exist"):
        DivisionTree([Edge(1, 5)], TODAY)
    with pytest.raises(DivisionError, match="two parents"):
        DivisionTree([Edge(1, None), Edge(2, 1), Edge(2, None)], TODAY)
    with pytest.raises(DivisionError, match="circle"):
        build_closure([Edge(1, 2), Edge(2, 1)])


def test_past_figures_follow_a_split_and_a_later_merger():
    split, merge = dt.date(2015, 1, 1), dt.date(2020, 1, 1)
    changes = [DivisionChange(1, 2, 0.3, split), DivisionChange(2, 3, 1.0, merge)]
    days = np.array(["2014-06-01", "2015-01-01", "2019-12-31", "2021-01-01"], dtype="datetime64[D]")
    got = reattribute([1, 1, 2, 3], days, [100.0, 10.0, 5.0, 1.0], changes, TODAY)
    assert dict(zip(zip(got.row.tolist(), got.id.tolist(), strict=True), got.value.tolist(), strict=True)) == pytest.approx(
        {(0, 3): 30.0, (0, 1): 70.0, (1, 1): 10.0, (2, 3): 5.0, (3, 3): 1.0}
    )
    before = reattribute([1], days[:1], [100.0], changes, dt.date(2016, 1, 1))
    assert dict(zip(before.id.tolist(), before.value.tolist(), strict=True)) == pytest.approx({1: 70.0, 2: 30.0})


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3000), st.floats(0, 1e6)), max_size=40))
def test_reattribution_keeps_the_total(figures):
    changes = [
        DivisionChange(0, 1, 0.25, dt.date(2012, 5, 1)),
        DivisionChange(0, 2, 0.75, dt.date(2012, 5, 1)),
        DivisionChange(2, 5, 0.5, dt.date(2014, 5, 1)),
    ]
    ids = [f[0] for f in figures]
    days = np.datetime64("2010-01-01") + np.array([f[1] for f in figures], dtype="timedelta64[D]")
    values = [f[2] for f in figures]
    got = reattribute(ids, days, values, changes, TODAY)
    assert got.value.sum() == pytest.approx(sum(values))


def test_giving_away_more_than_everything_is_refused():
    on = dt.date(2020, 1, 1)
    with pytest.raises(DivisionError, match="more than all"):
        reattribute([1], ["2019-01-01"], [1.0], [DivisionChange(1, 2, 0.6, on), DivisionChange(1, 3, 0.6, on)], TODAY)
