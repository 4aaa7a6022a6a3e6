"""People, passwords, lock-out, second factor, sessions, tokens, credentials, looks."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import translation
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from zhongshu.kernel.record import Actor, Conflict, change
from zhongshu.security import version
from zhongshu.security.access import Denied, create_grant, reveal, scope_for, sync_roles
from zhongshu.security.access.models import Role
from zhongshu.security.audit import AuditEntry
from zhongshu.security.identity import (
    Credential,
    LogInRefused,
    Organisation,
    Token,
    TreeError,
    User,
    begin_totp,
    change_organisation,
    change_password,
    change_user,
    close_credential,
    close_user,
    confirm_totp,
    create_credential,
    create_organisation,
    create_post,
    create_token,
    create_user,
    end_session,
    find_credential,
    find_session_user,
    find_token,
    get_actor,
    has_secret,
    has_totp,
    list_sessions,
    load_credentials,
    log_in,
    log_out,
    open_user,
    remove_totp,
    revoke_token,
    unlock_user,
)
from zhongshu.security.identity.middleware import ActorMiddleware
from zhongshu.security.identity.token_models import TokenUse

pytestmark = pytest.mark.django_db
PASSWORD = "river-stone-41"
BY = Actor("person", "Admin", "a-1")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(version, "POLL_S", 0.0)


@pytest.fixture
def user():
    return create_user(BY, "new officer", username="wang", name="王伟", password=PASSWORD, phone="13812341234", language="en")


def _request(address="10.0.0.7", **headers):
    request = RequestFactory().post("/login/", REMOTE_ADDR=address, headers=headers)
    request.session = SessionStore()
    return request


def _refused(*args) -> str:
    with pytest.raises(LogInRefused) as caught:
        log_in(_request(), *args)
    return caught.value.reason


def _verbs() -> list[str]:
    return list(AuditEntry.objects.filter(count=1).exclude(verb__in=["create", "change", "bulk_create"]).order_by("id").values_list("verb", flat=True))


def test_a_log_in_is_noted_with_name_and_address(user):
    request = _request()
    assert log_in(request, "wang", PASSWORD) == user
    entry = AuditEntry.objects.get(verb="log-in")
    assert (entry.by_name, entry.by_uid, entry.by_address, entry.record_uid) == ("王伟", str(user.uid), "10.0.0.7", str(user.uid))
    request.user = user
    log_out(request)
    assert _verbs() == ["log-in", "log-out"]
    assert list_sessions(user) == []


def test_a_wrong_password_and_an_unknown_name_are_refused_alike(user):
    assert _refused("wang", "no") == _refused("nobody", "no") == "wrong"
    assert _verbs() == ["log-in-failed"] * 2
    assert AuditEntry.objects.filter(verb="log-in-failed", by_name="nobody").count() == 1


def test_too_many_failures_lock_out_even_the_right_password_until_unlocked(user, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        assert _refused("wang", "wrong") == "wrong"
    assert _refused("wang", "wrong") == "locked"
    assert _refused("wang", PASSWORD) == "locked"
    assert "locked-out" in _verbs()
    assert log_in(_request("10.9.9.9"), "wang", PASSWORD) == user, "another address is not locked out with it"
    unlock_user(BY, "called us", user)
    assert log_in(_request(), "wang", PASSWORD) == user


def test_a_closed_user_is_refused_and_sessions_and_tokens_end(user):
    request = _request()
    log_in(request, "wang", PASSWORD)
    key = request.session.session_key
    _token, text = create_token(BY, "test", user)
    assert find_session_user(key) == user
    close_user(BY, "left", user)
    assert (find_session_user(key), find_token(text), _refused("wang", PASSWORD)) == (None, None, "wrong")
    open_user(BY, "came back", user)
    assert find_session_user(key) is None
    assert find_token(text) is not None


def test_passwords_are_argon2_weak_ones_are_refused_and_old_hashes_are_made_again_at_log_in(user):
    assert user.password.startswith("argon2$")
    with pytest.raises(ValidationError):
        create_user(BY, "weak", username="li", name="Li", password="12345678")
    with change(BY, "as if from an old system"):
        user.password = make_password(PASSWORD, hasher="pbkdf2_sha256")
        user.save()
    found = log_in(_request(), "wang", PASSWORD)
    assert User.objects.get(pk=user.pk).password.startswith("argon2$")
    change_user(BY, "still the current version", found, email="w@example.org")


def test_a_new_password_ends_the_other_sessions(user):
    first, second = _request(), _request("10.0.0.8", **{"user-agent": "Firefox"})
    log_in(first, "wang", PASSWORD)
    log_in(second, "wang", PASSWORD)
    assert [s.agent for s in list_sessions(user)] == ["Firefox", ""]
    change_password(BY, "own wish", user, "other-stone-42", keep_session=second.session.session_key)
    assert [s.key for s in list_sessions(user)] == [second.session.session_key]
    assert not end_session(create_user(BY, "x", username="li", name="Li"), second.session.session_key)
    assert end_session(user, second.session.session_key)
    assert _refused("wang", PASSWORD) == "wrong"


def test_a_second_factor_is_asked_for_and_a_code_counts_once(user):
    enrolment = begin_totp(user)
    assert enrolment.address.startswith("otpauth://totp/")
    assert "<svg" in enrolment.svg
    assert not has_totp(user)
    device = TOTPDevice.objects.get(user=user)
    assert confirm_totp(BY, user, f"{(totp(device.bin_key) + 1) % 1_000_000:06d}") == []
    assert not has_totp(user)
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    codes = confirm_totp(BY, user, f"{totp(device.bin_key):06d}")
    assert len(set(codes)) == 10
    assert _refused("wang", PASSWORD) == "code-needed"
    assert _refused("wang", PASSWORD, f"{totp(device.bin_key):06d}") == "code-wrong", "the code that confirmed was used"
    request = _request()
    log_in(request, "wang", PASSWORD, codes[0])
    assert find_session_user(request.session.session_key).is_verified()
    assert _refused("wang", PASSWORD, codes[0]) == "code-wrong"
    remove_totp(BY, "lost", user)
    request = _request()
    log_in(request, "wang", PASSWORD)
    assert not find_session_user(request.session.session_key).is_verified()


def test_a_token_is_shown_once_kept_as_hash_and_counts_until_expired_or_revoked(user):
    now = datetime.now(UTC)
    token, text = create_token(BY, "for a program", user, "duty-officer", now + timedelta(days=1), verbs=["view"])
    row = Token.objects.get()
    assert text.startswith(token.prefix) and text.partition(".")[2] not in str(row.__dict__)
    assert text.partition(".")[2] not in "".join(AuditEntry.objects.values_list("after_json", flat=True))
    assert row.hash not in "".join(AuditEntry.objects.values_list("after_json", flat=True))
    found = find_token(text)
    assert (found.user, found.user.limit.role, found.user.limit.verbs) == (user, "duty-officer", frozenset({"view"}))
    assert TokenUse.objects.get().used_on == now.date()
    assert find_token(text + "x") is None and find_token("") is None and find_token("zs_0.x") is None
    assert find_token(text, now + timedelta(days=1, seconds=1)) is None
    revoke_token(BY, "done", row)
    assert find_token(text) is None
    with pytest.raises(ValueError, match="expired already"):
        create_token(BY, "late", user, expires_at=now - timedelta(days=1))


def test_a_request_carries_who_acts_and_a_token_narrows_it(user):
    sync_roles([])
    create_grant(BY, "test", "duty-officer", user=user)
    _token, text = create_token(BY, "test", user, "duty-officer", verbs=["view"])
    seen = []

    def answer(request):
        seen.append((request.actor, translation.get_language(), scope_for(request.user, "work.Case", "view"), scope_for(request.user, "work.Case", "change")))
        return HttpResponse()

    middleware = ActorMiddleware(answer)
    assert middleware(_request(authorization=f"Bearer {text}")).status_code == 200
    actor, language, view, change_scope = seen[0]
    assert actor == get_actor(user, "10.0.0.7")
    assert language == "en"
    assert view and not change_scope
    refused = middleware(_request(authorization="Bearer zs_no.no"))
    assert (refused.status_code, len(seen)) == (401, 1)


def test_pages_without_session_have_an_anonymous_actor(client):
    request = _request()
    request.user = None
    ActorMiddleware(lambda r: HttpResponse())(request)
    assert (request.actor.name, request.actor.uid) == ("anonymous", "")


def test_a_device_credential_counts_for_its_source_only(user):
    _row, secret = create_credential(BY, "new logger", "mqtt:a")
    assert find_credential("mqtt:a", secret) == Credential.objects.get()
    assert find_credential("mqtt:a", "wrong") is None
    assert find_credential("mqtt:b", secret) is None
    hashes = load_credentials()
    assert has_secret(hashes["mqtt:a"], "mqtt:a", secret) and not has_secret(hashes["mqtt:a"], "mqtt:b", secret)
    assert secret not in str(hashes)
    close_credential(BY, "stolen", Credential.objects.get())
    assert find_credential("mqtt:a", secret) is None
    assert load_credentials() == {}
    row, given = create_credential(BY, "fixed by the maker", "hj212:010000A8900016F000169DC0", "123456", expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert given == "123456" and find_credential(row.source, "123456") is not None
    assert find_credential(row.source, "123456", datetime.now(UTC) + timedelta(hours=2)) is None


def test_organisations_are_numbered_as_a_tree_and_a_circle_is_refused():
    city = create_organisation(BY, "start", code="a", name="City", kind="government")
    bureau = create_organisation(BY, "start", code="b", name="Bureau", kind="bureau", parent=city)
    team = create_organisation(BY, "start", code="c", name="Team", kind="bureau", parent=bureau)
    assert [(o.left, o.right) for o in Organisation.objects.order_by("code")] == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(TreeError, match="circle"):
        change_organisation(BY, "wrong", city.refresh(), parent=team)
    change_organisation(BY, "moved", team.refresh(), parent=city)
    assert [(o.left, o.right) for o in Organisation.objects.order_by("code")] == [(1, 3), (2, 2), (3, 3)]
    assert create_post(BY, "start", code="p", title="Head", organisation=team).organisation == team
    with pytest.raises(ValidationError):
        create_organisation(BY, "twice", code="a", name="City", kind="government")


def test_a_stale_user_cannot_overwrite_and_password_is_not_changed_in_passing(user):
    stale = User.objects.get(pk=user.pk)
    change_user(BY, "moved", user, phone="13900000000")
    with pytest.raises(Conflict):
        change_user(BY, "late", stale, phone="13911111111")
    with pytest.raises(ValueError, match="change_password"):
        change_user(BY, "sneak", user, password="x")


def test_a_masked_value_is_revealed_only_with_right_and_reason_and_every_look_is_noted(user):
    sync_roles([])
    reader = create_user(BY, "test", username="reader", name="Reader")
    by = get_actor(reader)
    with pytest.raises(Denied):
        reveal(by, reader, user, "phone", "call back about a case")
    with change(BY, "test"):
        Role(code="caller", name="caller", verbs={"security.User": ["view", "reveal"]}, ceiling="sensitive").save()
    create_grant(BY, "test", "caller", user=reader)
    with pytest.raises(ValidationError):
        reveal(by, reader, user, "phone", " ")
    assert reveal(by, reader, user, "phone", "call back about a case") == "13812341234"
    with pytest.raises(Denied):
        reveal(by, reader, user, "password", "curious today")
    looks = list(AuditEntry.objects.filter(verb__in=["look", "denied"]).order_by("id"))
    assert [(e.verb, e.after) for e in looks] == [("denied", {"field": "phone"}), ("look", {"field": "phone"}), ("denied", {"field": "password"})]
    assert looks[1].why == "call back about a case" and looks[1].by_uid == str(reader.uid)
    assert "13812341234" not in looks[1].after_json
