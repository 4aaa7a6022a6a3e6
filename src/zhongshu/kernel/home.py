"""What an installation is: its folder and its settings, read once from `zhongshu.toml`."""

import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["House", "SettingsError", "load_house", "get_secret"]

FILE = "zhongshu.toml"


class SettingsError(ValueError):
    """A settings file that cannot be used; the message says which key and what would be right."""


@dataclass(frozen=True)
class City:
    """What place this installation serves."""

    name: str = "zhongshu"
    zone: str = "Asia/Shanghai"
    language: str = "zh-hans"


@dataclass(frozen=True)
class Records:
    """Where records live: empty for SQLite in the data folder, or `postgres://user:password@host:port/name`."""

    url: str = ""


@dataclass(frozen=True)
class Web:
    """The one origin people and programs talk to. `intake` takes readings at `/intake/v1/observations` here as well: for small use, and one web process a data folder."""

    host: str = "127.0.0.1"
    port: int = 8000
    names: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    https: bool = False
    threads: int = 8
    session_hours: int = 12
    intake: bool = True


@dataclass(frozen=True)
class Gateway:
    """Field intake of this machine; the partition names its log."""

    partition: str = "local"
    host: str = "127.0.0.1"
    intake_port: int = 8010
    hj212_port: int = 8212
    max_connections: int = 15000


@dataclass(frozen=True)
class Mqtt:
    """The MQTT broker; `embedded` starts a small one of our own for demonstrations (to 1,000 messages a second)."""

    url: str = ""
    embedded: bool = False
    port: int = 1883
    username: str = ""
    password: str = ""
    topic: str = "zhongshu/+/up"
    client_id: str = "zhongshu-gateway"


@dataclass(frozen=True)
class Nats:
    """Forwarding of log partitions between machines; an empty `url` means every process sees the log folder itself.

    `role` is `forward` on a machine that only takes in (its gateway's partition needs a name of its own), `receive` on the one where the pipeline runs.
    """

    url: str = ""
    stream: str = "zhongshu"
    role: str = "receive"


@dataclass(frozen=True)
class Lake:
    """How long raw frames are kept, in days; 0 keeps them for ever. Observations are never removed."""

    frame_days: int = 90


@dataclass(frozen=True)
class Security:
    """Log-in limits."""

    attempts: int = 5
    lockout_minutes: int = 15


@dataclass(frozen=True)
class House:
    """One installation: folder and settings, never changed while a process runs."""

    home: Path
    city: City = field(default_factory=City)
    records: Records = field(default_factory=Records)
    web: Web = field(default_factory=Web)
    gateway: Gateway = field(default_factory=Gateway)
    mqtt: Mqtt = field(default_factory=Mqtt)
    nats: Nats = field(default_factory=Nats)
    lake: Lake = field(default_factory=Lake)
    security: Security = field(default_factory=Security)

    @property
    def zone(self) -> ZoneInfo:
        """The city's zone: civil days, periods and printed times use it."""
        return ZoneInfo(self.city.zone)

    def path(self, *parts: str) -> Path:
        """Return a path below the data folder."""
        return self.home.joinpath(*parts)


def load_house(home: Path | str | None = None) -> House:
    """Read the settings of one installation.

    `home` falls back to the environment's `ZHONGSHU_HOME`, then to `./var`. A missing file means defaults. Any key can be overridden from the environment as
    `ZHONGSHU_<SECTION>_<KEY>`. Raises `SettingsError` for an unknown section or key or a value of the wrong type.
    """
    folder = Path(home or os.environ.get("ZHONGSHU_HOME") or "var").absolute()
    file = folder / FILE
    try:
        text = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not a TOML file: {error}") from error
    sections = {f.name: f.default_factory for f in fields(House) if f.default_factory is not MISSING}
    for name in text:
        if name not in sections:
            raise SettingsError(f"{file}: there is no section [{name}]; known are {', '.join(sorted(sections))}")
    built = {name: _build_section(name, kind, text.get(name, {}), file) for name, kind in sections.items()}
    house = House(home=folder, **built)
    if house.nats.role not in ("forward", "receive"):
        raise SettingsError(f"{file}: [nats] role = {house.nats.role!r} is neither 'forward' nor 'receive'")
    try:
        ZoneInfo(house.city.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(f"{file}: [city] zone = {house.city.zone!r} is not a zone name such as 'Asia/Shanghai'") from error
    return house


def _build_section(name: str, kind: Any, given: Mapping[str, Any], file: Path) -> Any:
    types = get_type_hints(kind)
    if not isinstance(given, Mapping):
        raise SettingsError(f"{file}: {name} must be a section, written [{name}]")
    unknown = set(given) - set(types)
    if unknown:
        raise SettingsError(f"{file}: [{name}] has no key {sorted(unknown)[0]!r}; known are {', '.join(sorted(types))}")
    values = dict(given)
    for key in types:
        override = os.environ.get(f"ZHONGSHU_{name}_{key}".upper())
        if override is not None:
            values[key] = override
    return kind(**{key: _as(types[key], value, f"{file}: [{name}] {key}") for key, value in values.items()})


def _as(kind: Any, value: Any, where: str) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("1", "true", "yes", "0", "false", "no"):
            return str(value).lower() in ("1", "true", "yes")
    elif kind is int:
        try:
            return int(value)
        except (TypeError, ValueError):
            pass
    elif kind is str and isinstance(value, str):
        return value
    elif kind not in (bool, int, str):
        return tuple(value.split(",")) if isinstance(value, str) else tuple(value)
    raise SettingsError(f"{where} = {value!r} is not a {getattr(kind, '__name__', kind)}")


def get_secret(house: House) -> str:
    """Return the installation's secret key, made at first use with mode 0600."""
    file = house.path("secret.key")
    if not file.exists():
        house.home.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_text(encoding="ascii").strip()
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_urlsafe(48))
            out.flush()
            os.fsync(out.fileno())
    return file.read_text(encoding="ascii").strip()
