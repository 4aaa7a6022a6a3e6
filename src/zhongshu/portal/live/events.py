"""Events as bytes (server-sent events, HTML standard 9.2), and the differences between two states of a screen."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

__all__ = ["END", "RELOAD", "diff_items", "diff_stream", "encode_event"]


def encode_event(name: str, data: Any, id: str = "") -> bytes:
    """Return one event; JSON escapes line ends, so data is one line."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return f"{f'id: {id}' + chr(10) if id else ''}event: {name}\ndata: {body}\n\n".encode()


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be sent")


END = encode_event("end", {})
RELOAD = encode_event("reload", {})


def diff_stream(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]], open_total: int, total_changed: bool) -> list[dict[str, Any]]:
    """Return `stream` events that make `old` into `new` (both newest first): removed, changed, added; the oldest is added first, so that the newest ends on top."""
    before, after = {item["id"]: item for item in old}, {item["id"]: item for item in new}
    made: list[dict[str, Any]] = [{"op": "remove", "item": {"id": id}} for id in before if id not in after]
    made += [{"op": "change", "item": item} for id, item in after.items() if id in before and before[id] != item]
    made += [{"op": "add", "item": item} for id, item in reversed(after.items()) if id not in before]
    if not made and total_changed:
        made = [{"op": "total", "item": None}]
    return [{**event, "open_total": open_total} for event in made]


def diff_items(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those of `new` that are not in `old` or differ."""
    return [item for uid, item in new.items() if old.get(uid) != item]
