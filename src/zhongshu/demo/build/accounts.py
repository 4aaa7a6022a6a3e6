"""People of the synthetic city: one user a post, what posts may do, and the few accounts that are printed."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password

from zhongshu.demo.city import City
from zhongshu.demo.city import Organisation as Body
from zhongshu.kernel.record import change
from zhongshu.security.access import Grant, Role
from zhongshu.security.identity.models import Post, User

from .bulk import BUILDER, WHY, create_records
from .places import CENTRE

__all__ = ["ACCOUNTS", "Account", "create_passwords", "load_people"]

SIGNS = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH = 14
DATA_BUREAU = "dept-data"
ROLES: Mapping[str, str] = {"leader": "leader", "duty": "duty-officer", "officer": "officer", "checker": "checker"}
"""What a post's word in the city is as a base role."""

PACK_ROLES: Mapping[str, str] = {"leader": "environment.leader", "duty": "environment.leader", "officer": "environment.officer", "checker": "environment.checker"}
"""What the environment's own posts, and those of the operation centre, hold beside that in the environment pack."""


@dataclass(frozen=True)
class Account:
    """A log-in that is printed: `person` names who it is by the city's own log-in, `login` what is typed; `roles` are given beside those of the post."""

    login: str
    person: str
    what: str
    roles: tuple[str, ...] = ()


ACCOUNTS = (
    Account("duty", "dept-operation-duty", "值班长 duty officer"),
    Account("leader", "dept-operation-director", "领导 leader"),
    Account("air-officer", "dept-environment-officer", "生态环境局经办人 environment officer"),
    Account("air-checker", "dept-environment-checker", "生态环境局核查员 environment checker"),
    Account("county-officer", "dept-environment-02-officer", "汀北区生态环境局经办人 county officer"),
    Account("engineer", "dept-data-officer", "设备工程师 device engineer", ("device-engineer",)),
    Account("admin", "dept-data-director", "系统管理员 administrator", ("administrator",)),
    Account("security", "dept-data-checker", "安全管理员 security officer", ("security-officer",)),
    Account("auditor", "dept-data-duty", "审计员 auditor", ("auditor",)),
)


def create_passwords() -> dict[str, tuple[str, str]]:
    """Return log-in → password and its hash for the printed accounts. Hashing is slow on purpose, and leaves the interpreter free for other threads."""
    chosen = {account.login: "".join(secrets.choice(SIGNS) for _ in range(LENGTH)) for account in ACCOUNTS}
    return {login: (password, make_password(password)) for login, password in chosen.items()}


def load_people(city: City, divisions: Mapping[str, int], organisations: Mapping[str, int], passwords: Mapping[str, tuple[str, str]]) -> None:
    """Create a user for every post and the grants. Users without one of the `passwords` cannot log in until somebody gives them one."""
    posts = dict(Post.objects.values_list("code", "id"))
    roles = dict(Role.objects.values_list("code", "id"))
    logins = {account.person: account.login for account in ACCOUNTS}
    users = []
    for person in city.people:
        login = logins.get(person.login, person.login)
        user = User(username=login, name=person.name_zh, phone=person.phone, organisation_id=organisations[person.organisation_code], post_id=posts[person.post_code])
        if login in passwords:
            user.password = passwords[login][1]
        else:
            user.set_unusable_password()
        users.append(user)
    with change(BUILDER, WHY):
        create_records(User, users)
        ids = {user.username: user.pk for user in users}
        create_records(Grant, _build_post_grants(city, posts, roles, divisions, organisations))
        create_records(Grant, _build_account_grants(ids, roles))


def _build_post_grants(city: City, posts: Mapping[str, int], roles: Mapping[str, int], divisions: Mapping[str, int], organisations: Mapping[str, int]) -> Iterator[Grant]:
    """Departments act for what is theirs, branches and offices in their division, the operation centre everywhere; the data bureau only runs the machine."""
    bodies = {body.code: body for body in city.organisations}
    for post in city.posts:
        body = bodies[post.organisation_code]
        if body.kind == "company" or body.code == DATA_BUREAU:
            continue
        where = _restrict(body, divisions, organisations)
        yield Grant(role_id=roles[ROLES[post.role]], post_id=posts[post.code], purpose=WHY, **where)
        if body.code.startswith("dept-environment") or body.code == CENTRE:
            yield Grant(role_id=roles[PACK_ROLES[post.role]], post_id=posts[post.code], purpose=WHY, **where)


def _restrict(body: Body, divisions: Mapping[str, int], organisations: Mapping[str, int]) -> dict[str, int]:
    if body.code == CENTRE:
        return {}
    return {"organisation_id": organisations[body.code]} if body.kind == "department" else {"division_id": divisions[body.division_code]}


def _build_account_grants(users: Mapping[str, int], roles: Mapping[str, int]) -> Iterator[Grant]:
    for account in ACCOUNTS:
        for role in account.roles:
            yield Grant(role_id=roles[role], user_id=users[account.login], purpose=WHY)
