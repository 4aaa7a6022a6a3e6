"""Scope: list, single read, DuckDB and arrays agree with an oracle that knows only parents and grants as plain dicts."""

import dataclasses
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.kernel.derive import get_kind
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import SYSTEM, change
from zhongshu.security import version
from zhongshu.security.access import (
    NOTHING,
    Clause,
    Denied,
    Grant,
    Role,
    Row,
    Scope,
    check_verb,
    create_grant,
    end_grant,
    get_row,
    list_held_roles,
    list_verbs,
    scope_for,
    sync_roles,
)
from zhongshu.security.identity import Limit, Organisation, Post, User, create_user, number_tree

CLASSES = ["public", "internal", "sensitive", "core"]
ROLES = {
    "watcher": ({"security.Organisation": ["view"], "kernel.Division": ["view"]}, "internal"),
    "deep": ({"security.*": ["view", "change"]}, "sensitive"),
    "open": ({"*": ["view"], "security.Organisation": ["change"]}, "public"),
}


def _forest(most: int):
    return st.integers(1, most).flatmap(lambda n: st.tuples(*[st.one_of(st.none(), st.integers(0, i - 1)) if i else st.none() for i in range(n)]))


@st.composite
def worlds(draw):
    divisions = draw(_forest(8))
    organisations = draw(_forest(8))
    homes = [draw(st.one_of(st.none(), st.integers(0, len(divisions) - 1))) for _ in organisations]
    grant = st.fixed_dictionaries(
        {
            "role": st.sampled_from(sorted(ROLES)),
            "division": st.one_of(st.none(), st.integers(0, len(divisions) - 1)),
            "organisation": st.one_of(st.none(), st.integers(0, len(organisations) - 1)),
            "ceiling": st.sampled_from(["", *CLASSES]),
            "days": st.sampled_from([None, (-2, -1), (-1, 1), (1, 2)]),
        }
    )
    return {"divisions": divisions, "organisations": organisations, "homes": homes, "grants": draw(st.lists(grant, max_size=4)), "level": draw(st.sampled_from(CLASSES))}


def _is_below(parents, node, top):
    while node is not None:
        if node == top:
            return True
        node = parents[node]
    return False


def oracle_ceiling(world, kind, verb, row):
    """Highest class among grants that hold, or None: from parents, never from left numbers."""
    best = None
    for grant in world["grants"]:
        verbs, ceiling = ROLES[grant["role"]]
        if verb not in verbs.get(kind, verbs.get(kind.split(".")[0] + ".*", verbs.get("*", []))):
            continue
        if grant["days"] is not None and not (grant["days"][0] < 0 < grant["days"][1]):
            continue
        rank = min(CLASSES.index(ceiling), CLASSES.index(grant["ceiling"] or ceiling))
        if CLASSES.index(world["level"]) > rank:
            continue
        if grant["division"] is not None and (row["division"] is None or not _is_below(world["divisions"], row["division"], grant["division"])):
            continue
        common = kind == "kernel.Division" and world["level"] == "public" and verb == "view"  # public, and of no organisation
        if (
            grant["organisation"] is not None
            and not common
            and (row["organisation"] is None or not _is_below(world["organisations"], row["organisation"], grant["organisation"]))
        ):
            continue
        best = rank if best is None else max(best, rank)
    return best


def _build(world):
    with change(SYSTEM, "a random world"):
        spans = number_tree(enumerate(world["divisions"]))
        divisions = []
        for number, parent in enumerate(world["divisions"]):
            left, right = spans[number]
            divisions.append(Division(code=f"d{number}", name="d", level="town", left=left, right=right, parent=divisions[parent] if parent is not None else None))
            divisions[-1].save()
        spans = number_tree(enumerate(world["organisations"]))
        organisations = []
        for number, parent in enumerate(world["organisations"]):
            left, right = spans[number]
            home = world["homes"][number]
            row = Organisation(code=f"o{number}", name="o", kind="bureau", left=left, right=right)
            row.parent = organisations[parent] if parent is not None else None
            row.division = divisions[home] if home is not None else None
            row.save()
            organisations.append(row)
        roles = {code: Role(code=code, name=code, verbs=verbs, ceiling=ceiling) for code, (verbs, ceiling) in ROLES.items()}
        for role in roles.values():
            role.save()
        user = User(username="somebody", name="S", password="!")
        user.save()
        now = datetime.now(UTC)
        for grant in world["grants"]:
            made = Grant(role=roles[grant["role"]], user=user, ceiling=grant["ceiling"])
            made.division = divisions[grant["division"]] if grant["division"] is not None else None
            made.organisation = organisations[grant["organisation"]] if grant["organisation"] is not None else None
            if grant["days"] is not None:
                made.valid_from, made.valid_until = (now + timedelta(days=n) for n in grant["days"])
            made.save()
    return user, divisions, organisations


def _compiled(scope, rows):
    """The rows that DuckDB and NumPy let through."""
    text, params = scope.sql("d", "o", "c")
    con = duckdb.connect()
    con.execute("CREATE TABLE t (n INTEGER, d INTEGER, o BIGINT, c TINYINT)")
    con.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [(n, row.division, row.organisation, int(row.level)) for n, row in enumerate(rows)])
    by_sql = {n for (n,) in con.execute(f"SELECT n FROM t WHERE {text}", params).fetchall()}
    con.close()
    arrays = (np.array([getattr(row, name) or 0 for row in rows]) for name in ("division", "organisation", "level"))
    return by_sql, set(np.flatnonzero(scope.mask(*arrays)).tolist())


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], derandomize=True)
@given(worlds())
def test_list_single_read_duckdb_and_arrays_agree_with_the_oracle(monkeypatch, world):
    monkeypatch.setattr(version, "POLL_S", 0.0)
    with transaction.atomic():
        user, divisions, organisations = _build(world)
        for name, model, records in (("security.Organisation", Organisation, organisations), ("kernel.Division", Division, divisions)):
            kind = dataclasses.replace(get_kind(name), level=world["level"])
            plain = [{"division": n, "organisation": None} for n in range(len(records))]
            if name == "security.Organisation":
                plain = [{"division": world["homes"][n], "organisation": n} for n in range(len(records))]
            for verb in ("view", "change", "remove"):
                ceilings = [oracle_ceiling(world, name, verb, row) for row in plain]
                expected = {n for n, ceiling in enumerate(ceilings) if ceiling is not None}
                scope = scope_for(user, kind, verb)
                listed = set(model.objects.filter(scope.q(kind)).values_list("pk", flat=True))
                assert listed == {records[n].pk for n in expected}
                rows = [get_row(kind, record) for record in records]
                assert {n for n, row in enumerate(rows) if scope.allows(row)} == expected
                assert [scope.ceiling_of(row) for row in rows] == ceilings
                assert _compiled(scope, rows) == (expected, expected)
        transaction.set_rollback(True)


spans = st.one_of(st.none(), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=3).map(tuple))
clauses = st.builds(Clause, spans, spans, st.integers(0, 3))
left = st.one_of(st.none(), st.integers(0, 12))
rows_of = st.lists(st.builds(Row, left, left, st.integers(0, 3)), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(clauses, max_size=4), rows_of)
def test_compilers_agree_for_any_clauses_and_rows_even_malformed_ones(given_clauses, rows):
    scope = Scope(tuple(given_clauses))
    expected = {n for n, row in enumerate(rows) if scope.allows(row)}
    assert _compiled(scope, rows) == (expected, expected)


def test_an_empty_scope_matches_nothing_on_every_engine():
    assert not NOTHING
    assert _compiled(NOTHING, [Row(1, 1, 0), Row(None, None, 0)]) == (set(), set())
    assert NOTHING.ceiling_of(Row(1, 1, 0)) is None


def test_a_restricted_clause_does_not_reach_a_table_without_that_column():
    scope = Scope((Clause(((1, 5),), None, 1),))
    assert scope.sql(None, None, None) == ("(FALSE)", [])
    assert Scope((Clause(None, None, 1),)).sql(None, None, None) == ("(TRUE)", [])
    assert Scope((Clause(None, None, 1),)).sql(None, None, None, level=2) == ("(FALSE)", [])


def test_a_higher_ceiling_elsewhere_uncovers_nothing_here():
    scope = Scope((Clause(None, None, 1), Clause(((5, 9),), None, 2)))
    assert scope.ceiling_of(Row(4, 1)) == 1
    assert scope.ceiling_of(Row(6, 1)) == 2


def test_trees_are_numbered_in_pre_order_and_circles_are_refused():
    assert number_tree([(1, None), (2, 1), (3, 1), (4, 2), (5, None)]) == {1: (1, 4), 2: (2, 3), 4: (3, 3), 3: (4, 4), 5: (5, 5)}
    for rows, word in (([(1, 2), (2, 1)], "circle"), ([(1, 9)], "missing"), ([(1, None), (1, None)], "twice")):
        with pytest.raises(ValueError, match=word):
            number_tree(rows)


@pytest.fixture
def officer(db, monkeypatch):
    monkeypatch.setattr(version, "POLL_S", 0.0)
    sync_roles([])
    return create_user(SYSTEM, "test", username="officer", name="Officer")


def test_without_a_grant_nothing_is_allowed(officer):
    for kind in ("security.User", "sense.Thing", "security.AuditEntry", "nowhere.Kind"):
        assert not scope_for(officer, kind, "view")
    assert User.objects.filter(scope_for(officer, "security.User", "view").q(get_kind("security.User"))).count() == 0
    with pytest.raises(Denied, match="may not view"):
        check_verb(officer, "security.User", "view")
    assert not scope_for(None, "security.User", "view")
    assert list_verbs(officer, "security.User") == frozenset()


def test_a_grant_to_a_post_counts_for_whoever_holds_it_and_ends_with_it(officer):
    with change(SYSTEM, "test"):
        post = Post(code="p", title="Post", organisation=_organisation())
        post.save()
    create_grant(SYSTEM, "test", "duty-officer", post=post)
    assert not scope_for(officer, "sense.Thing", "view")
    with change(SYSTEM, "appointed"):
        officer.post = post
        officer.save()
    assert scope_for(officer, "sense.Thing", "view")
    assert list_held_roles(officer) == ["duty-officer"]


def test_an_ended_grant_a_role_without_verbs_and_a_closed_user_count_no_more(officer):
    grant = create_grant(SYSTEM, "test", "duty-officer", user=officer)
    assert scope_for(officer, "sense.Thing", "view")
    end_grant(SYSTEM, "test", grant)
    assert not scope_for(officer, "sense.Thing", "view")
    create_grant(SYSTEM, "test", "duty-officer", user=officer)
    assert scope_for(officer, "sense.Thing", "view")
    with change(SYSTEM, "test"):
        Role.objects.filter(code="duty-officer").update(verbs={})
    assert not scope_for(officer, "sense.Thing", "view")
    sync_roles([])
    assert scope_for(officer, "sense.Thing", "view")
    with change(SYSTEM, "test"):
        User.objects.filter(pk=officer.pk).update(is_active=False)
    assert not scope_for(officer, "sense.Thing", "view")


@pytest.mark.django_db(transaction=True)
def test_another_process_sees_a_revoked_right_at_its_next_look(monkeypatch):
    sync_roles([])
    user = create_user(SYSTEM, "test", username="officer", name="Officer")
    grant = create_grant(SYSTEM, "test", "duty-officer", user=user)
    clock = [100.0]
    monkeypatch.setattr(version.time, "monotonic", lambda: clock[0])
    version._forget()
    assert scope_for(user, "sense.Thing", "view")
    monkeypatch.setattr(version, "_forget", lambda: None)  # what another process does not get
    end_grant(SYSTEM, "test", grant)
    clock[0] += 0.99
    assert not scope_for(user, "sense.Thing", "view")
    clock[0] += 10
    monkeypatch.undo()
    version._forget()


def test_an_unnumbered_tree_restricts_to_nothing(officer):
    organisation = _organisation(left=0, right=0)
    create_grant(SYSTEM, "test", "duty-officer", user=officer, organisation=organisation)
    scope = scope_for(officer, "security.Organisation", "view")
    assert Organisation.objects.filter(scope.q(get_kind("security.Organisation"))).count() == 0
    assert not scope.allows(get_row(get_kind("security.Organisation"), organisation))


def test_a_record_outside_the_grant_is_refused_one_by_one(officer):
    inside, outside = _organisation("a", 1, 1), _organisation("b", 2, 2)
    create_grant(SYSTEM, "test", "duty-officer", user=officer, organisation=inside, purpose="watch")
    assert check_verb(officer, "security.Organisation", "view", inside).purpose == "watch"
    with pytest.raises(Denied, match="outside what you were granted"):
        check_verb(officer, "security.Organisation", "view", outside)


def test_nobody_holds_two_of_the_three_administrators(officer):
    create_grant(SYSTEM, "test", "administrator", user=officer)
    for role in ("auditor", "security-officer"):
        with pytest.raises(Exception, match="holds System administrator already"):
            create_grant(SYSTEM, "test", role, user=officer)


def test_a_role_that_needs_a_second_factor_counts_only_after_one(officer):
    with change(SYSTEM, "test"):
        Role.objects.filter(code="administrator").update(require_totp=True)
    create_grant(SYSTEM, "test", "administrator", user=officer)
    assert not scope_for(officer, "sense.Thing", "change")
    officer.is_verified = lambda: True
    assert scope_for(officer, "sense.Thing", "change")


def test_a_token_limit_narrows_to_role_and_verbs(officer):
    create_grant(SYSTEM, "test", "duty-officer", user=officer)
    create_grant(SYSTEM, "test", "device-engineer", user=officer)
    assert scope_for(officer, "sense.Thing", "change")
    officer.limit = Limit(role="duty-officer")
    assert not scope_for(officer, "sense.Thing", "change")
    assert scope_for(officer, "sense.Thing", "view")
    officer.limit = Limit(verbs=frozenset({"view"}))
    assert not scope_for(officer, "sense.Thing", "change")
    officer.limit = Limit(role="auditor")
    assert not scope_for(officer, "sense.Thing", "view")


def test_syncing_roles_twice_writes_nothing_and_keeps_local_ones(officer):
    with change(SYSTEM, "test"):
        Role(code="mine", name="mine", verbs={"*": ["view"]}).save()
    assert sync_roles([]) == 0
    assert Role.objects.get(code="mine").verbs == {"*": ["view"]}


def _organisation(code="o", left=1, right=1):
    with change(SYSTEM, "test"):
        made = Organisation(code=code, name=code, kind="bureau", left=left, right=right)
        made.save()
    return made
