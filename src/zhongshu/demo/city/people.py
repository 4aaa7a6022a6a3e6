"""Who runs the demonstration city: departments, street offices, companies, posts, and the people who log in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .names import CITY, COUNTIES, NamePool, make_person

__all__ = ["Organisation", "Person", "Post", "build_organisations", "build_people"]


@dataclass(frozen=True, slots=True)
class Organisation:
    """A body with a division: ``kind`` is ``department``, ``county_department``, ``office`` or ``company``."""

    code: str
    name_zh: str
    name_en: str
    kind: str
    division_code: str
    parent_code: str | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """A post in an organisation; ``role`` is the demo's word for what it may do."""

    code: str
    organisation_code: str
    name_zh: str
    name_en: str
    role: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who logs in. The phone begins with 102, which no mobile number in China does."""

    login: str
    name_zh: str
    name_en: str
    phone: str
    post_code: str
    organisation_code: str


_DEPARTMENTS = (
    ("operation", "城市运行管理中心", "City Operation Centre"),
    ("environment", "生态环境局", "Ecology and Environment Bureau"),
    ("city", "城市管理局", "City Management Bureau"),
    ("water", "水利局", "Water Resources Bureau"),
    ("emergency", "应急管理局", "Emergency Management Bureau"),
    ("fire", "消防救援支队", "Fire and Rescue Division"),
    ("traffic", "交通运输局", "Transport Bureau"),
    ("police", "公安局", "Public Security Bureau"),
    ("health", "卫生健康委员会", "Health Commission"),
    ("housing", "住房和城乡建设局", "Housing and Construction Bureau"),
    ("resources", "自然资源局", "Natural Resources Bureau"),
    ("data", "数据局", "Data Bureau"),
    ("weather", "气象局", "Meteorological Bureau"),
    ("education", "教育局", "Education Bureau"),
    ("agriculture", "农业农村局", "Agriculture Bureau"),
    ("civil", "民政局", "Civil Affairs Bureau"),
    ("market", "市场监督管理局", "Market Regulation Bureau"),
    ("industry", "工业和信息化局", "Industry and Information Bureau"),
)
_BRANCHES = ("environment", "city", "emergency", "water")
_COMPANIES = (("自来水有限公司", "Water Supply Co."), ("热力有限公司", "Heating Co."), ("电子仪器有限公司", "Instruments Co."),
              ("市政养护有限公司", "Road Maintenance Co."), ("化工有限公司", "Chemical Co."), ("物业服务有限公司", "Property Services Co."),
              ("建材有限公司", "Building Materials Co."), ("食品有限公司", "Food Co."))  # fmt: skip
_POSTS = (
    ("director", "负责人", "Director", "leader"),
    ("duty", "值班长", "Duty officer", "duty"),
    ("officer", "经办人", "Officer", "officer"),
    ("checker", "核查员", "Checker", "checker"),
)


def build_organisations(seed: int, towns: list[tuple[str, str, str]], companies: int) -> tuple[list[Organisation], list[Post]]:
    """Organisations and their posts. ``towns``: code, Chinese and Latin name of each town or street."""
    city = "9901"
    found = [Organisation(f"dept-{key}", CITY[0][:-1] + "市" + zh, f"{CITY[1]} {en}", "department", city) for key, zh, en in _DEPARTMENTS]
    for suffix, zh, en, _ in COUNTIES:
        for key, office_zh, office_en in _DEPARTMENTS:
            if key in _BRANCHES:
                code = f"dept-{key}-{suffix}"
                found.append(Organisation(code, zh + office_zh, f"{en} {office_en}", "county_department", city + suffix, f"dept-{key}"))
    for code, zh, en in towns:
        word = "办事处" if zh.endswith("街道") else "人民政府"
        found.append(Organisation(f"office-{code}", zh + word, f"{en} Office", "office", code))
    pool = NamePool(np.random.default_rng([seed, 21]))
    for i in range(companies):
        zh, en = pool.take()
        trade_zh, trade_en = _COMPANIES[i % len(_COMPANIES)]
        county = city + COUNTIES[i % len(COUNTIES)][0]
        found.append(Organisation(f"company-{i + 1:03d}", zh + trade_zh, f"{en} {trade_en}", "company", county))
    posts = [Post(f"{o.code}-{key}", o.code, zh, en, role) for o in found for key, zh, en, role in (_POSTS if o.kind != "company" else _POSTS[2:3])]
    return found, posts


def build_people(seed: int, posts: list[Post]) -> list[Person]:
    """One person a post. The login is the post's code, so that a guide can name it."""
    rng = np.random.default_rng([seed, 22])
    people = []
    for i, post in enumerate(posts):
        zh, en = make_person(rng)
        people.append(Person(post.code, zh, en, f"102{i + 1:08d}", post.code, post.organisation_code))
    return people
