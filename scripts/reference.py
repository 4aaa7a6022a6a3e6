"""Write docs/reference from the code: commands, settings, kinds, events, jobs. `--check` only says whether the pages are true."""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "reference"
HEAD = "<!-- Written by scripts/reference.py; change the code, not this page. -->\n\n"


def main() -> int:
    """Write or check every page; returns the exit code."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["ZHONGSHU_HOME"] = home
        from zhongshu.config.boot import boot

        boot()
        pages = build_pages()
    if "--check" in sys.argv:
        stale = [name for name, text in pages.items() if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != text]
        for name in stale:
            print(f"docs/reference/{name} is not what the code says; run python scripts/reference.py")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def build_pages() -> dict[str, str]:
    """Return page name → text."""
    from django.utils.translation import override

    with override("en"):
        return {
            name: HEAD + "\n".join(lines()) + "\n"
            for name, lines in (("commands.md", _commands), ("settings.md", _settings), ("kinds.md", _kinds), ("events.md", _events))
        }


def _commands() -> Iterator[str]:
    import click

    from zhongshu.config.cli.main import group

    yield "# Commands\n"
    context = click.Context(group, info_name="zhongshu")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            yield from _command(command, f"zhongshu {name}")


def _command(command: Any, path: str) -> Iterator[str]:
    import click

    context = click.Context(command, info_name=path, max_content_width=110, terminal_width=110)
    yield f"## {path}\n\n```\n{command.get_help(context)}\n```\n"
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _command(inner, f"{path} {name}")


def _settings() -> Iterator[str]:
    from zhongshu.kernel.home import House

    yield "# Settings\n\n`zhongshu.toml` in the data folder. Any key can be given in the environment as `ZHONGSHU_<SECTION>_<KEY>`. Meaning: docs/guides/operate.md.\n"
    for section in fields(House):
        if section.name == "home":
            continue
        kind = get_type_hints(House)[section.name]
        yield f"## [{section.name}]\n\n{(kind.__doc__ or '').strip()}\n\n| key | type | default |\n| --- | --- | --- |"
        for key in fields(kind):
            default = key.default if not isinstance(key.default, tuple) else ", ".join(key.default)
            yield f"| `{key.name}` | {getattr(get_type_hints(kind)[key.name], '__name__', 'list')} | `{default}` |"
        yield ""


def _kinds() -> Iterator[str]:
    from zhongshu.kernel.derive import list_kinds

    yield "# Kinds of records\n\nEach has pages at `/desk/records/<slug>/` and a REST resource at `/api/v1/<slug>`.\n"
    for kind in list_kinds():
        rights = f"rights by {kind.scope_division or '–'} (division) and {kind.scope_organisation or '–'} (organisation)"
        yield f"## {kind.name}\n\n{kind.about}\n\nSlug `{kind.slug}`; class {kind.level}; {rights}.\n"
        yield "| field | type | label | unit | codes | class |\n| --- | --- | --- | --- | --- | --- |"
        for field in kind.fields:
            codes = ", ".join(code for code, _label in field.codes)
            yield f"| `{field.name}` | {field.type}{' → ' + field.target if field.target else ''} | {field.label} | {field.unit} | {codes} | {field.classified} |"
        yield ""


def _events() -> Iterator[str]:
    from zhongshu.kernel.registry import registry

    yield "# Events, subscribers, jobs and ticks\n\n## Events\n\n| event | schema | about |\n| --- | --- | --- |"
    yield from (f"| `{e.name}` | {e.schema} | {e.about} |" for e in registry.list("event").values())
    yield "\n## Subscribers\n\n| subscriber | event |\n| --- | --- |"
    yield from (f"| `{s.name}` | `{s.event}` |" for s in registry.list("subscriber").values())
    yield "\n## Jobs\n\n| job | every |\n| --- | --- |"
    yield from (f"| `{j.name}` | {f'{j.every_s} s' if j.every_s else 'on request'} |" for j in registry.list("job").values())
    yield "\n## Ticks of the worker\n\n| tick | every |\n| --- | --- |"
    yield from (f"| `{t.name}` | {t.every_s:g} s |" for t in registry.list("tick").values())


if __name__ == "__main__":
    sys.exit(main())
