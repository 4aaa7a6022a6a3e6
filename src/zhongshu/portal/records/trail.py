"""Who changed a record, when and why."""

from typing import Any

from django.utils.translation import gettext, gettext_noop

from zhongshu.kernel.derive import get_kind
from zhongshu.kernel.record import Record, list_history
from zhongshu.portal.render import build_cell, find_words

__all__ = ["build_trail", "print_known"]

TRAIL = 30
CHANGES = 8

# What the installation itself writes as a reason or a name; what people write is printed as they wrote it.
KNOWN = (
    gettext_noop("a limit has passed"),
    gettext_noop("changed on the page"),
    gettext_noop("created on the page"),
    gettext_noop("removed on the page"),
    gettext_noop("demonstration city"),
    gettext_noop("devices of the air feed without a station"),
    gettext_noop("feeds shipped with this version"),
    gettext_noop("language chosen"),
    gettext_noop("limits exceeded or met again"),
    gettext_noop("own password changed"),
    gettext_noop("pipeline"),
    gettext_noop("roles as this version declares them"),
    gettext_noop("rule"),
    gettext_noop("signal"),
    gettext_noop("the event goes on"),
    gettext_noop("the event is over"),
    gettext_noop("the signal has cleared"),
    gettext_noop("zhongshu demo"),
)


def print_known(text: str) -> str:
    """Return a reason or name in the reader's language where the installation wrote it ("signal: …" by its head)."""
    head, colon, rest = text.partition(": ")
    if colon and head in KNOWN:
        return f"{gettext(head)}: {rest}"
    return gettext(text) if text in KNOWN or text == "zhongshu" else text


def build_trail(record: Record) -> list[dict[str, Any]]:
    """Build the trail: who changed what, when and why, newest first."""
    versions = list_history(record)[: TRAIL + 1]
    return [
        {
            "text": print_known(v.changed_why),
            "who": print_known(v.changed_by),
            "at": v.recorded_from,
            "note": _differences(v, versions[i + 1]) if i + 1 < len(versions) else "",
            "tone": "info",
        }
        for i, v in enumerate(versions[:TRAIL])
    ]


def _differences(newer: Any, older: Any) -> str:
    kind = get_kind(str(newer._meta.label).removesuffix("History"))
    quiet = ("binary", "json")
    changed = [
        f for f in kind.fields if not f.classified and f.type not in quiet and f.name not in kind.hidden and getattr(newer, f.name, None) != getattr(older, f.name, None)
    ]

    def say(version: Any, field: Any) -> str:
        cell = build_cell(field, getattr(version, field.name), words=find_words(kind.name, field.name))
        return f"{cell.at:%Y-%m-%d %H:%M}" if cell.at is not None else cell.text

    return "; ".join(f"{f.label}: {say(older, f)} → {say(newer, f)}" for f in changed[:CHANGES])
