"""What a message measured: values with start time, period, quality and unit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from zhongshu.sense.protocol.base import FrameError, Tolerance
from zhongshu.sense.protocol.hj212.factors import COMMON_ALIASES, find_factor
from zhongshu.sense.protocol.hj212.flags import GOOD, MISSING, get_quality
from zhongshu.sense.protocol.hj212.message import Group, HJ212Message
from zhongshu.sense.protocol.hj212.tolerance import TOLERANT, HJ212Tolerance

DAY_S = 86_400
CHINA_OFFSET_S = 8 * 3600
"""Asia/Shanghai: UTC+8, no summer time since 1991."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What one connection means by what it sends; shown on the thing's page.

    `offset_s` the device clock's distance from UTC. `label` what DataTime names: the interval's start (HJ 212-2017 for
    2051, 2061, 2031) or, as in ambient networks, its end. `units` by factor code or by property, before the standard's
    table. `aliases` renames factor codes. `minute_s` the length of "minute" data (standard: set by command 1064).
    """

    offset_s: int = CHINA_OFFSET_S
    label: Literal["start", "end"] = "start"
    units: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=lambda: COMMON_ALIASES)
    tolerances: frozenset[Tolerance] = TOLERANT
    password: str | None = field(default=None, repr=False)
    minute_s: int = 600

    def check_password(self, message: HJ212Message) -> None:
        """Raise `FrameError("password")` when the profile has a password and the message another."""
        if self.password is not None and message.pw != self.password:
            raise FrameError("password", f"{message.mn} sent another password (PW) than its connection has.")


STANDARD = Profile()
"""The standard as it is written, spoken in China."""

_PROFILE_KEYS = frozenset(("zone", "label", "units", "aliases", "tolerances", "minute_period_s"))


def parse_profile(data: Mapping[str, Any], password: str | None = None) -> Profile:
    """A `Profile` from a connection's stored JSON; a key that is absent keeps the standard's meaning.

    `zone` hours ahead of UTC (may be 5.5), `label` "start" or "end", `units` and `aliases` objects of text, `tolerances`
    list of switch names (absent: all), `minute_period_s` seconds. `ValueError` in words for anything else.

    >>> parse_profile({"zone": 8, "label": "end", "tolerances": ["no-flag"]}).label
    'end'
    """
    unknown = sorted(set(data) - _PROFILE_KEYS)
    if unknown:
        raise ValueError(f"a connection profile has no {', '.join(unknown)}; it may have {', '.join(sorted(_PROFILE_KEYS))}")
    zone, label, minute = data.get("zone", 8), data.get("label", "start"), data.get("minute_period_s", 600)
    if isinstance(zone, bool) or not isinstance(zone, int | float) or not -12 <= zone <= 14:
        raise ValueError(f"zone is hours ahead of UTC, from -12 to 14, not {zone!r}")
    if label not in ("start", "end"):
        raise ValueError(f"label says whether DataTime is an interval's start or end, not {label!r}")
    if isinstance(minute, bool) or not isinstance(minute, int) or not 1 <= minute <= 3600:
        raise ValueError(f"minute_period_s is 1 to 3600 seconds, not {minute!r}")
    return Profile(
        offset_s=round(zone * 3600),
        label=label,
        units=_parse_texts(data, "units", {}),
        aliases=_parse_texts(data, "aliases", COMMON_ALIASES),
        tolerances=_parse_tolerances(data.get("tolerances")),
        password=password,
        minute_s=minute,
    )


def _parse_texts(data: Mapping[str, Any], key: str, default: Mapping[str, str]) -> Mapping[str, str]:
    given = data.get(key, default)
    if not isinstance(given, Mapping) or not all(isinstance(text, str) for pair in given.items() for text in pair):
        raise ValueError(f"{key} is an object of text by factor code, not {given!r}")
    return dict(given)


def _parse_tolerances(names: Any) -> frozenset[Tolerance]:
    if names is None:
        return TOLERANT
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ValueError(f"tolerances is a list of switch names, not {names!r}")
    known = {str(tolerance): tolerance for tolerance in HJ212Tolerance}
    chosen = list(names)
    wrong = [name for name in chosen if name not in known]
    if wrong:
        raise ValueError(f"there is no tolerance {wrong[0]!r}; there are {', '.join(sorted(known))}")
    return frozenset(known[name] for name in chosen)


class Reading(NamedTuple):
    """One value. `property` like `a34004-Avg`; `t` µs UTC, start of the interval; `period_s` 0 for a moment.

    `value` None when nothing readable was sent. `sub` numbers different values of one property at one time from 0.
    """

    property: str
    t: int
    period_s: int
    value: float | None
    quality: int
    unit: str
    sub: int = 0


class Text(NamedTuple):
    """A field that is no number: log text (without its `//`), serial number, sample time, equipment flag."""

    property: str
    t: int
    value: str


_NUMBERS = frozenset(
    (
        *("Rtd", "Min", "Avg", "Max", "Cou", "ZsRtd", "ZsMin", "ZsAvg", "ZsMax", "ZsCou"),
        *("RS", "RT", "Data", "DayData", "NightData"),
    )
)
_FLAG = "Flag"
_TEXTS = frozenset(("SampleTime", "SN", "EFlag"))
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_SUFFIX = re.compile(r"(.+?)(ZsRtd|ZsMin|ZsAvg|ZsMax|Rtd|Min|Avg|Max|Cou|Flag)")
_MAX_SUB = 255

_PERIODS: Mapping[str, int] = {"2011": 0, "2021": 0, "3019": 0, "3020": 0, "2061": 3600, "2031": DAY_S, "2041": DAY_S}
_DATA_COMMANDS = frozenset((*_PERIODS, "2051", "2081"))


def readings(message: HJ212Message, profile: Profile = STANDARD) -> list[Reading]:
    """The numbers of an upload, in order of the wire; empty for commands, answers and uploads without numbers.

    A factor whose flag came without any value gives one reading without value at `-Rtd` or `-Avg`: the hour was
    announced as missing. A repeated equal value counts once, another one gets the next `sub`. Times are not judged for
    plausibility. Raises `FrameError("data-time")` when there are values but no readable DataTime before them.
    """
    if message.cn not in _DATA_COMMANDS:
        return []
    period = profile.minute_s if message.cn == "2051" else _PERIODS.get(message.cn, 0)
    main = "Rtd" if period == 0 else "Avg"
    out: list[Reading] = []
    for when, section in _list_sections(message):
        rows = list(_read_section(section, main, profile))
        if not rows:
            continue
        t = _compute_start(when, period, profile, message)
        seen: dict[str, list[float | None]] = {}
        for factor, suffix, value, quality in rows:
            name = f"{factor}-{suffix}"
            values = seen.setdefault(name, [])
            if value in values or len(values) > _MAX_SUB:
                continue
            out.append(Reading(name, t, period, value, quality, _find_unit(factor, suffix, profile), len(values)))
            values.append(value)
    return out


def texts(message: HJ212Message, profile: Profile = STANDARD) -> list[Text]:
    """The fields of an upload that are no numbers. Raises as `readings` does."""
    if message.cn not in _DATA_COMMANDS:
        return []
    out: list[Text] = []
    for when, section in _list_sections(message):
        found = [(name, value) for group in section for name, value in group if name == "RestartTime" or _is_text(name, value)]
        if found:
            t = _compute_start(when, 0, profile, message)
            for name, value in found:
                factor, hyphen, suffix = name.partition("-")
                clean = value[2:-2] if value.startswith("//") and value.endswith("//") and len(value) >= 4 else value
                out.append(Text(profile.aliases.get(factor, factor) + hyphen + suffix, t, clean))
    return out


def parse_time(text: str, offset_s: int) -> int:
    """`YYYYMMDDhhmmss` or with milliseconds, in a clock `offset_s` ahead of UTC, to µs UTC; `FrameError("data-time")`.

    >>> parse_time("20160801085857", 28800)
    1470013137000000
    """
    if len(text) not in (14, 17) or not (text.isascii() and text.isdigit()):
        raise FrameError("data-time", f"A time is 14 digits, year to second; {text[:40]!r} is not.")
    try:
        wall = datetime(
            int(text[:4]),
            int(text[4:6]),
            int(text[6:8]),
            int(text[8:10]),
            int(text[10:12]),
            int(text[12:14]),
            tzinfo=UTC,
        )
    except ValueError:
        raise FrameError("data-time", f"{text!r} names no moment of the calendar.") from None
    seconds = (wall - _EPOCH).days * DAY_S + (wall - _EPOCH).seconds - offset_s
    return seconds * 1_000_000 + int(text[14:] or 0) * 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _list_sections(message: HJ212Message) -> Iterator[tuple[str | None, list[Group]]]:
    """Groups by the DataTime that stands before them (an answer to a query has several)."""
    when: str | None = None
    section: list[Group] = []
    for group in message.groups:
        times = [value for name, value in group if name == "DataTime"]
        if times:
            if section:
                yield when, section
            when, section = times[-1], []
        section.append(group)
    if section:
        yield when, section


def _read_section(section: list[Group], main: str, profile: Profile) -> Iterator[tuple[str, str, float | None, int]]:
    flags: dict[str, str] = {}
    values: list[tuple[str, str, str, str | None]] = []
    for group in section:
        own: dict[str, str] = {}
        fields = []
        for name, value in group:
            parts = _split_name(name, main)
            if parts is None:
                continue
            if parts[1] == _FLAG:
                own[parts[0]] = value
            elif not _is_text(name, value):
                fields.append((*parts, value))
        flags.update(own)
        values += [(factor, suffix, value, own.get(factor)) for factor, suffix, value in fields]
    measured = {factor for factor, _, _, _ in values}
    values += [(factor, main, "", flag) for factor, flag in flags.items() if factor not in measured]
    for factor, suffix, text, own_flag in values:
        flag = own_flag if own_flag is not None else flags.get(factor)
        quality = GOOD if flag is None else get_quality(flag)
        number = _parse_number(text)
        if number is None and quality == GOOD:
            quality = MISSING
        yield profile.aliases.get(factor, factor), suffix, number, quality


@lru_cache(maxsize=4096)
def _split_name(name: str, main: str) -> tuple[str, str] | None:
    """Factor and suffix of a field name; also of the 2005 way without hyphen; None for the standard's parameters."""
    factor, hyphen, suffix = name.partition("-")
    if hyphen:
        return (factor, suffix) if factor and suffix else None
    match = _SUFFIX.fullmatch(name)
    if match and find_factor(match[1]):
        return match[1], match[2]
    return (name, main) if find_factor(name) else None


def _is_text(name: str, value: str) -> bool:
    _, hyphen, suffix = name.partition("-")
    if not hyphen or suffix in _NUMBERS or suffix == _FLAG:
        return False
    return suffix in _TEXTS or _parse_number(value) is None


def _parse_number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _compute_start(when: str | None, period: int, profile: Profile, message: HJ212Message) -> int:
    if when is None:
        raise FrameError("data-time", f"The {message.cn} data of {message.mn} carry no DataTime.")
    t = parse_time(when, profile.offset_s)
    return t - period * 1_000_000 if profile.label == "end" else t


def _find_unit(factor: str, suffix: str, profile: Profile) -> str:
    declared = profile.units.get(f"{factor}-{suffix}")
    if declared is not None:
        return declared
    known = find_factor(factor)
    if suffix in ("RS", "Info"):
        return ""
    if suffix in ("Cou", "ZsCou"):
        return (known.total or "") if known else ""
    return profile.units.get(factor) or (known.unit if known else "")
