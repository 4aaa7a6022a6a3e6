"""The durable log: what a gateway acknowledged is on disk here before the acknowledgement leaves."""

from zhongshu.kernel.log.carry import add_missing_entries, copy_log, raise_sequence
from zhongshu.kernel.log.commit import GroupCommitter, LogFull
from zhongshu.kernel.log.log import Entry, LogEntry, LogError, LogFigures, LogReader, LogWriter, Receipt, Submission
from zhongshu.kernel.log.mirror import LogMirror, OriginDiffers, forget_origin, get_origin
from zhongshu.kernel.log.refused import Refused, RefusedStore

__all__ = [
    "Entry",
    "GroupCommitter",
    "LogEntry",
    "LogError",
    "LogFigures",
    "LogFull",
    "LogMirror",
    "LogReader",
    "LogWriter",
    "OriginDiffers",
    "Receipt",
    "Refused",
    "RefusedStore",
    "Submission",
    "add_missing_entries",
    "copy_log",
    "forget_origin",
    "get_origin",
    "raise_sequence",
]
