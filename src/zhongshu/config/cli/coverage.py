"""`zhongshu coverage`: mission rows, who fulfils them, and which test proves it."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from django.conf import settings

from zhongshu.config.cli.main import Failure

__all__ = ["command"]

MARK = re.compile(r"@pytest\.mark\.system\(\s*[\"']([a-z0-9.\-]+)[\"']\s*\)\s*\n(?:@.*\n|\s*\n)*\s*(?:async )?def (test_\w+)")


@dataclass(frozen=True)
class Row:
    """One mission row: the packs and rooms that say they fulfil parts of it, and the acceptance tests that claim all of it."""

    id: str
    name: str
    fulfilled_by: tuple[str, ...]
    tests: tuple[str, ...]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--rows",
    "table",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The table of mission rows (systems.tsv); default ../shared/mission/systems.tsv of the source tree.",
)
def command(as_json: bool, table: Path | None) -> None:
    """List mission rows that something here works on: packs and rooms that say so, and tests that prove a whole row."""
    root = Path(__file__).resolve().parents[4]
    names = _read_names(table or root.parent / "shared" / "mission" / "systems.tsv", table is not None)
    tests = _find_tests(root)
    claims: dict[str, list[str]] = {}
    for pack in settings.PACKS:
        for row in pack.fulfils:
            claims.setdefault(row, []).append(f"packs.{pack.id}")
    wanted = sorted(claims.keys() | tests.keys())
    unknown = [row for row in wanted if names and row not in names]
    if unknown:
        raise Failure(f"there is no mission row {unknown[0]!r}")
    rows = [Row(row, names.get(row, ""), tuple(claims.get(row, ())), tuple(tests.get(row, ()))) for row in wanted]
    if as_json:
        click.echo(json.dumps({"total": len(names), "rows": [asdict(found) for found in rows]}, ensure_ascii=False, indent=1))
        return
    for found in rows:
        click.echo(f"{found.id:28} {'proved ' if found.tests else 'partly '} {found.name}  {' '.join(found.fulfilled_by)}  {' '.join(found.tests)}")
    proved = sum(bool(found.tests) for found in rows)
    click.echo(f"{proved} rows proved by a test, {len(rows) - proved} worked on in part, of {len(names) or 'an unknown number of'} rows")


def _read_names(table: Path, required: bool) -> dict[str, str]:
    if not table.exists():
        if required:
            raise Failure(f"{table} does not exist")
        return {}
    lines = table.read_text(encoding="utf-8").splitlines()
    columns = lines[0].split("\t")
    at = columns.index("id"), columns.index("name_zh")
    return {cells[at[0]]: cells[at[1]] for cells in (line.split("\t") for line in lines[1:] if line)}


def _find_tests(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for folder in (root / "tests", root / "src"):
        for file in sorted(folder.rglob("test_*.py")):
            for row, name in MARK.findall(file.read_text(encoding="utf-8")):
                found.setdefault(row, []).append(f"{file.relative_to(root)}::{name}")
    return found
