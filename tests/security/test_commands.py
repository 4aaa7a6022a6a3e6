"""The commands for people, tokens and the trail."""

import importlib
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from django.db import connection

from zhongshu.security.access import sync_roles
from zhongshu.security.audit import AuditEntry, seal_due
from zhongshu.security.identity import User, find_token

pytestmark = pytest.mark.django_db(transaction=True)


def _run(module: str, *arguments: str, text: str = ""):
    return CliRunner().invoke(importlib.import_module(f"zhongshu.config.cli.{module}").command, arguments, input=text)


def test_a_user_is_created_with_a_role_gets_a_token_and_is_locked():
    sync_roles([])
    assert _run("user", "create", "wang", "--name", "Wang", "--role", "duty-officer", text="river-stone-41\n").exit_code == 0
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    made = _run("token", "create", "--user", "wang", "--role", "duty-officer", "--expires", tomorrow)
    assert (made.exit_code, find_token(made.output.strip()).user.limit.role) == (0, "duty-officer")
    assert _run("user", "lock", "wang").exit_code == 0
    assert find_token(made.output.strip()) is None
    assert _run("user", "lock", "wang", "--off").exit_code == 0
    assert _run("user", "password", "wang", text="other-stone-42\n").exit_code == 0
    assert User.objects.get().check_password("other-stone-42")
    assert _run("token", "revoke", made.output.strip().partition(".")[0]).exit_code == 0
    assert find_token(made.output.strip()) is None
    assert set(AuditEntry.objects.filter(kind="security.User").values_list("by_kind", flat=True)) == {"command"}


def test_commands_fail_with_a_plain_sentence():
    sync_roles([])
    for arguments, word in (
        (("user", "lock", "nobody"), "no user 'nobody'"),
        (("token", "create", "--user", "nobody"), "no user 'nobody'"),
        (("user", "create", "li", "--name", "Li", "--role", "king"), "king"),
        (("token", "revoke", "zs_x"), "no token"),
    ):
        result = _run(*arguments, text="river-stone-41\n")
        assert (result.exit_code, word in result.output) == (1, True), result.output
    assert _run("user", "create", "li2", "--name", "Li", text="short\n").exit_code == 1


def test_verify_audit_says_what_was_done_to_the_trail():
    sync_roles([])
    seal_due()
    whole = _run("verify_audit")
    assert (whole.exit_code, "the trail is whole" in whole.output) == (0, True)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM security_auditentry WHERE position = 2")
    broken = _run("verify_audit")
    assert (broken.exit_code, "the entry at position 2 was removed" in broken.output) == (1, True)
