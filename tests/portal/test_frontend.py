"""The front-end ground: pinned libraries, complete translations, a readable palette and pages fit for a strict policy."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import re
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PORTAL = ROOT / "src" / "zhongshu" / "portal"
TEMPLATES = sorted((PORTAL / "templates").rglob("*.html"))
SCRIPTS = sorted((PORTAL / "static" / "zs" / "js").glob("*.js"))
TOKENS = (PORTAL / "static" / "zs" / "tokens.css").read_text(encoding="utf-8")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "frontend" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


vendor = load("vendor")
messages = load("messages")


def make_package(folder: Path, files: dict[str, bytes]) -> tuple[dict[str, Any], Path]:
    """A tarball as npm lays it out, and its entry for the lock."""
    package: dict[str, Any] = {"name": "@city/lamp", "version": "1.0.0", "folder": "lamp", "files": {"dist/*.js": ""}}
    path = folder / vendor.format_tarball_name(package)
    with tarfile.open(path, "w:gz") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    package["integrity"] = "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    return package, path


PACKAGE_FILES = {
    "package.json": b'{"name": "@city/lamp", "version": "1.0.0", "license": "MIT"}',
    "LICENSE": b"do what you like",
    "dist/lamp.js": b"export const on = 1;\n//# sourceMappingURL=lamp.js.map\n",
    "dist/lamp.css": b"x",
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A build whose only package comes from a local tarball instead of npm."""
    package, path = make_package(tmp_path, PACKAGE_FILES)
    lock = tmp_path / "lock.json"
    lock.write_text(json.dumps({"packages": [package]}), encoding="utf-8")
    monkeypatch.setattr(vendor, "LOCK", lock)
    monkeypatch.setattr(vendor, "fetch_tarballs", lambda packages, folder: [path])
    return {"package": package, "lock": lock, "target": tmp_path / "static" / "vendor"}


def test_only_the_wanted_files_are_unpacked_and_the_licence_is_noted(shop: dict[str, Any]) -> None:
    assert vendor.build(shop["target"]) is True
    names = {path.relative_to(shop["target"]).as_posix() for path in shop["target"].rglob("*") if path.is_file()}
    assert names == {"lamp/lamp.js", vendor.NOTICE, vendor.STAMP}
    assert (shop["target"] / "lamp" / "lamp.js").read_bytes() == b"export const on = 1;\n"
    assert "@city/lamp 1.0.0 - MIT" in (shop["target"] / vendor.NOTICE).read_text(encoding="utf-8")
    assert "do what you like" in (shop["target"] / vendor.NOTICE).read_text(encoding="utf-8")


def test_a_current_folder_is_left_alone_until_the_lock_changes(shop: dict[str, Any]) -> None:
    vendor.build(shop["target"])
    assert vendor.build(shop["target"]) is False
    shop["lock"].write_text(json.dumps({"packages": [shop["package"] | {"folder": "light"}]}), encoding="utf-8")
    assert vendor.build(shop["target"]) is True
    assert not (shop["target"] / "lamp").exists() and (shop["target"] / "light" / "lamp.js").exists()


def test_a_tarball_with_another_hash_stops_the_build_and_keeps_the_old_folder(shop: dict[str, Any]) -> None:
    vendor.build(shop["target"])
    wrong = shop["package"] | {"integrity": "sha512-" + "A" * 86 + "=="}
    shop["lock"].write_text(json.dumps({"packages": [wrong]}), encoding="utf-8")
    with pytest.raises(vendor.VendorError, match="not what the lock names"):
        vendor.build(shop["target"])
    assert (shop["target"] / "lamp" / "lamp.js").exists()
    assert [path.name for path in shop["target"].parent.iterdir()] == ["vendor"]


def test_a_member_that_climbs_out_of_its_folder_is_not_written(tmp_path: Path) -> None:
    package, path = make_package(tmp_path, PACKAGE_FILES | {"dist/../../../evil.js": b"x"})
    vendor.unpack(package, path, tmp_path / "fresh")
    assert not list(tmp_path.rglob("evil.js"))


def test_every_icon_of_the_templates_is_in_the_sprite_list() -> None:
    used = {name for path in TEMPLATES for name in re.findall(r'icon\.html" with name="([a-z0-9-]+)"', path.read_text(encoding="utf-8"))}
    assert used, "the pattern found no icon at all"
    assert used <= set(vendor.read_icon_names())


def test_translations_are_complete() -> None:
    assert messages.check() == []


def test_a_missing_a_doubtful_and_a_wrongly_filled_translation_are_reported() -> None:
    template, catalog = messages.Catalog(locale="en"), messages.Catalog(locale="zh_Hans")
    for name in ("Pump", "Valve", "%(count)s pumps"):
        template.add(name, flags=["python-format"] if "%" in name else [])
    catalog.add("Valve", "阀", flags=["fuzzy"])
    catalog.add("%(count)s pumps", "%(number)s 台泵", flags=["python-format"])
    faults = list(messages.check_catalogue(template, catalog, "zh_Hans"))
    assert len(faults) == 3
    assert "no translation of 'Pump'" in faults[0] and "fuzzy" in faults[1] and "%(count)s pumps" in faults[2]


def test_messages_of_templates_are_found_with_trimmed_blocks_and_filters() -> None:
    source = b'<p>{% translate "Open" %}</p>\n   {% blocktranslate trimmed with n=x %}\n  {{ n }} of\n ten {% endblocktranslate %} it\'s {{ x|default:_("none") }}'
    found = {message if isinstance(message, str) else message[0] for _, _, message, _ in messages.extract_django(io.BytesIO(source), messages.KEYWORDS, [], {})}
    assert found == {"Open", "%(n)s of ten", "none"}


def read_tokens(selector: str) -> dict[str, str]:
    start = TOKENS.index(selector)
    return dict(re.findall(r"--zs-([\w-]+):\s*(#[0-9a-f]{6}|rgb\([\d ]+\))", TOKENS[start : TOKENS.index("\n}", start)]))


def compute_contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2, definition of contrast ratio)."""

    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)] if color[0] == "#" else [int(part) for part in re.findall(r"\d+", color)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in parts)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


STATES = ("ok", "info", "warn", "alert", "danger")
PAIRS = [
    *((ink, ground) for ink in ("ink", "ink-quiet", "accent", *STATES) for ground in ("ground", "surface", "raised")),
    *((state, f"{state}-soft") for state in (*STATES, "silent")),
    *((ink, "danger-soft") for ink in ("ink", "ink-quiet", "alert")),
    ("accent-ink", "accent"),
    *((f"aqi-{level}-ink", f"aqi-{level}") for level in (1, 2, 3, 4, 5, 6, "none")),
]


@pytest.mark.parametrize(("selector", "least"), [(":root {", 4.5), (".zs-wall {", 7.0)])
def test_text_is_readable_on_every_ground(selector: str, least: float) -> None:
    tokens = read_tokens(":root {") | read_tokens(selector)
    poor = {pair for pair in PAIRS if compute_contrast(tokens[pair[0]], tokens[pair[1]]) < least}
    # No ink reaches 7:1 on the pure red that HJ 633 prescribes for category 4: black gives the most, 5.25:1.
    assert poor <= {("aqi-4-ink", "aqi-4")}
    assert compute_contrast(tokens["aqi-4-ink"], tokens["aqi-4"]) >= 5.25 - 0.01


def test_warning_colours_differ_from_the_ground_like_graphics_must() -> None:
    for selector in (":root {", ".zs-wall {"):
        tokens = read_tokens(":root {") | read_tokens(selector)
        for level in ("red", "blue"):
            assert compute_contrast(tokens[f"level-{level}"], tokens["surface"]) >= 3


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_need_nothing_that_a_strict_policy_forbids(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r'\sstyle\s*=\s*"|\son[a-z]+\s*=\s*"|javascript:|hx-on|js:', text)
    for tag in re.findall(r"<script[^>]*>", text):
        assert "src=" in tag or "nonce=" in tag or 'type="application/json"' in tag
    assert "http://" not in text and "https://" not in text


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_modules_neither_evaluate_text_nor_write_markup(path: Path) -> None:
    assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write", path.read_text(encoding="utf-8"))


def test_every_word_of_the_modules_is_given_by_the_page() -> None:
    given = set(re.findall(r'^  "(\w+)": ', (PORTAL / "templates/portal/partials/words.html").read_text(encoding="utf-8"), re.MULTILINE))
    used = {key for path in SCRIPTS for key in re.findall(r'word\("(\w+)"', path.read_text(encoding="utf-8"))}
    states = {f"live_{state}" for state in ("connecting", "live", "stale", "lost", "ended")}
    assert used and used | states <= given


def test_every_module_is_in_the_import_map() -> None:
    base = (PORTAL / "templates/portal/base.html").read_text(encoding="utf-8")
    for path in SCRIPTS:
        assert f'"zs/{path.stem}": "{{% static \'zs/js/{path.name}\' %}}"' in base
