"""Facts about city events that higher floors may act on."""

from zhongshu.kernel.event import event_kind

__all__ = ["CLOSED", "JOINED", "OPENED"]

OPENED = event_kind("brain.event.opened", about="event, kind, subject_kind, subject (uid), level, title, division (uid or ''), started_at, historical, signal")
JOINED = event_kind("brain.event.joined", about="as opened, with signal (its key), level_before and reopened (bool): a further signal of the same event")
CLOSED = event_kind("brain.event.closed", about="as opened, with ended_at: all signals have cleared")
