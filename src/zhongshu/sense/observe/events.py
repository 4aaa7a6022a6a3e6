"""Facts about alarms that other floors may act on."""

from zhongshu.kernel.event import event_kind

__all__ = ["CLEARED", "RAISED"]

RAISED = event_kind(
    "sense.alarm.raised",
    about="alarm, thing, stream (external id), product, property, level, title, value, limit, unit, started_at, division (uid or ''), historical",
)
CLEARED = event_kind("sense.alarm.cleared", about="as raised, with cleared_at and peak")
