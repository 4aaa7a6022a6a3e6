"""Translations without GNU gettext: Babel extracts, updates, compiles and checks Django's catalogues.

``python frontend/messages.py extract``   write ``locale/django.pot`` from Python modules, templates and pack manifests
``python frontend/messages.py update``    extract, then merge into every ``<locale>/LC_MESSAGES/django.po``
``python frontend/messages.py compile``   write the ``django.mo`` files (git-ignored; the build hook does it too)
``python frontend/messages.py check``     exit code 1 if a catalogue misses a message, or zh_Hans lacks or doubts one

Message ids are clear English, so the ``en`` catalogue may stay empty: gettext falls back to the id.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir, extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

SOURCE = Path(__file__).resolve().parent.parent / "src" / "zhongshu"
LOCALE = SOURCE / "locale"
TEMPLATE = LOCALE / "django.pot"
LOCALES = ("zh_Hans", "en")
COMPLETE = ("zh_Hans",)
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


def extract_django(fileobj: Any, keywords: Any, comment_tags: Any, options: Any) -> Iterator[Any]:
    """Babel extractor for Django templates.

    Django's own ``templatize`` turns a template into text in which only gettext calls are left; put in
    parentheses, that text is one Python expression as far as the tokenizer cares, and line numbers stay true.
    """
    from django.conf import settings  # the other subcommands, and the build hook, work without Django
    from django.utils.translation.template import templatize

    if not settings.configured:
        settings.configure(USE_I18N=True)
    code = "(" + templatize(fileobj.read().decode("utf-8")) + "\n)"
    yield from extract_python(io.BytesIO(code.encode("utf-8")), keywords, comment_tags, {"encoding": "utf-8"})


def extract() -> Catalog:
    """Every message id of the sources."""
    catalog = Catalog(project="zhongshu", charset="utf-8", fuzzy=False)
    methods: list[tuple[str, Any]] = [("**/templates/**.html", extract_django), ("**/templates/**.txt", extract_django), ("**.py", "python")]
    for found in extract_from_dir(SOURCE, methods, keywords=KEYWORDS, comment_tags=("Translators:",), strip_comment_tags=True):
        path, line, message, comments, context = found
        catalog.add(message, None, [(Path(path).as_posix(), line)], auto_comments=comments, context=context)
    return catalog


def write_catalogue(catalog: Catalog, path: Path) -> None:
    """Write a PO file without dates and line numbers, so that a diff shows words only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        write_po(out, catalog, width=120, omit_header=False, sort_output=True, include_lineno=False, ignore_obsolete=True)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    unstable = ('"POT-Creation-Date', '"PO-Revision-Date', '"Generated-By', '"Last-Translator', '"Report-Msgid')
    path.write_text("".join(line for line in lines if not line.startswith(unstable)), encoding="utf-8")


def read_catalogue(locale: str) -> Catalog:
    """The catalogue of one locale, empty when there is none yet. Fuzzy and obsolete entries are kept apart by Babel."""
    path = find_path(locale)
    if not path.is_file():
        return Catalog(locale=locale, project="zhongshu", charset="utf-8", fuzzy=False)
    with path.open("rb") as source:
        return read_po(source, locale=locale, charset="utf-8")


def find_path(locale: str, suffix: str = ".po") -> Path:
    """Where Django looks for a locale's messages."""
    return LOCALE / locale / "LC_MESSAGES" / f"django{suffix}"


def update() -> list[Path]:
    """Merge new messages into the catalogues; a changed message is not guessed from a similar one."""
    template = extract()
    write_catalogue(template, TEMPLATE)
    for locale in LOCALES:
        catalog = read_catalogue(locale)
        catalog.update(template, no_fuzzy_matching=True)
        write_catalogue(catalog, find_path(locale))
    return [find_path(locale) for locale in LOCALES]


def compile_catalogues() -> list[Path]:
    """Write every ``django.mo``; messages without translation are left out, so that the English id shows."""
    done = []
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/django.po")):
        locale = path.parent.parent.name
        with path.with_suffix(".mo").open("wb") as out:
            write_mo(out, read_catalogue(locale))
        done.append(path.with_suffix(".mo"))
    return done


def check() -> list[str]:
    """What is wrong with the catalogues, one sentence each."""
    template = extract()
    return [fault for locale in COMPLETE for fault in check_catalogue(template, read_catalogue(locale), locale)]


def check_catalogue(template: Iterable[Message], catalog: Catalog, locale: str) -> Iterator[str]:
    """Messages of ``template`` that ``catalog`` misses, doubts, or translates with other placeholders."""
    for message in template:
        if not message.id:
            continue
        name = message.id if isinstance(message.id, str) else message.id[0]
        found = catalog.get(message.id, message.context)
        strings = [] if found is None else [found.string] if isinstance(found.string, str) else list(found.string or ())
        if found is None or not any(strings):
            yield f"{locale}: no translation of {name!r} ({', '.join(path for path, _ in message.locations)})"
        elif found.fuzzy:
            yield f"{locale}: translation of {name!r} is marked fuzzy"
        else:
            for error in found.check(catalog):
                yield f"{locale}: {name!r}: {error}"


def main() -> int:
    """Command line door; see the module's text."""
    parser = argparse.ArgumentParser(description="Translation catalogues.")
    parser.add_argument("command", choices=["extract", "update", "compile", "check"])
    command = parser.parse_args().command
    if command == "check":
        faults = check()
        print("\n".join(faults) if faults else "translations are complete", file=sys.stderr if faults else sys.stdout)
        return 1 if faults else 0
    if command == "extract":
        write_catalogue(extract(), TEMPLATE)
        print(f"written: {TEMPLATE.name}")
    else:
        for path in update() if command == "update" else compile_catalogues():
            print(f"written: {path.relative_to(SOURCE)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
