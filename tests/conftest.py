"""What all tests share: a house of its own, real data when it is there, servers that are required or skipped by one rule."""

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse, urlunparse

import pytest

_SYSTEM_FOLDERS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/usr/lib/chromium"])
_POSTGRES = ("postgres:///postgres", "postgres://postgres@127.0.0.1:5432/postgres")


def _find_binary(*names: str) -> str | None:
    return next((found for name in names if (found := shutil.which(name, path=_SYSTEM_FOLDERS))), None)


def _find_postgres() -> str | None:
    """Return an address of a server on which we may create databases: `ZHONGSHU_TEST_POSTGRES`, else the local socket, else user postgres without a password."""
    try:
        import psycopg
    except ImportError:
        return None
    given = os.environ.get("ZHONGSHU_TEST_POSTGRES")
    for url in (given,) if given else _POSTGRES:
        try:
            with psycopg.connect(url, connect_timeout=3) as connection:
                may = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        except psycopg.OperationalError:
            continue
        if may and may[0]:
            return url
    return None


_SERVERS: dict[str, tuple[Callable[[], str | None], str]] = {
    "postgres": (_find_postgres, "no PostgreSQL server answers on which this user may create databases (name one in ZHONGSHU_TEST_POSTGRES)"),
    "mosquitto": (lambda: _find_binary("mosquitto"), "the Mosquitto broker is not installed"),
    "nats": (lambda: _find_binary("nats-server"), "nats-server is not installed"),
    "browser": (lambda: _find_binary("chromium", "chromium-browser", "google-chrome"), "no Chromium is installed"),
}
_found: dict[str, str | None] = {}


def _require(name: str) -> str:
    find, reason = _SERVERS[name]
    if name not in _found:
        _found[name] = find()
    found = _found[name]
    if found is None and name in os.environ.get("ZHONGSHU_REQUIRE", "").split(","):
        pytest.fail(f"ZHONGSHU_REQUIRE names {name}, but {reason}", pytrace=False)
    if found is None:
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """Return `require(name)`: an address (postgres) or binary (mosquitto, nats, browser); without it the test skips, or fails where ZHONGSHU_REQUIRE names it."""
    return _require


def _name_database(url: str) -> str:
    """Return the address of a database that does not exist yet, with a name of the tests' own, on the server of `url`."""
    return urlunparse(urlparse(url)._replace(path=f"/zt_{secrets.token_hex(6)}"))


@pytest.fixture
def postgres_database(require):
    """Create an empty database of the test's own; its address, and the database is removed afterwards."""
    import psycopg

    server = require("postgres")
    url = _name_database(server)
    name = urlparse(url).path.lstrip("/")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    yield url
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


if os.environ.get("ZHONGSHU_TEST_RECORDS") == "postgres":  # the same tests with their records on PostgreSQL
    _server = _find_postgres()
    if _server is None:
        raise pytest.UsageError(f"ZHONGSHU_TEST_RECORDS=postgres, but {_SERVERS['postgres'][1]}")
    os.environ["ZHONGSHU_RECORDS_URL"] = _name_database(_server)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix):
    """On PostgreSQL the test database bears our own random name; pytest-django creates and removes it."""
    from django.db import connection

    if connection.vendor == "postgresql":
        connection.settings_dict["TEST"]["NAME"] = f"{connection.settings_dict['NAME']}{os.environ.get('PYTEST_XDIST_WORKER', '')}"


@pytest.fixture(autouse=True)
def _english():
    """Messages are compared in English, whether or not catalogues were compiled here; requests choose their own language."""
    from django.utils import translation

    with translation.override("en"):
        yield


def pytest_report_header() -> str:
    return f"records on {'PostgreSQL' if os.environ.get('ZHONGSHU_RECORDS_URL') else 'SQLite'}"


def find_real_data() -> Path | None:
    """Return the folder of real inputs, or None."""
    given = os.environ.get("ZHONGSHU_REALDATA")
    folder = Path(given) if given else Path(__file__).parent.parent.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = find_real_data()
    if folder is None:
        pytest.skip("the real inputs of ../shared/data are not here (set ZHONGSHU_REALDATA)")
    return folder
