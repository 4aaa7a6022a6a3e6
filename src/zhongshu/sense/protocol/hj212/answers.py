"""Which answer HJ 212 asks for, and the answer's bytes (HJ 212-2017, 6.2 and annex C).

The rules follow annex C's examples: uploaded data are answered with 9014, notices (a request to set the clock, stop
commands) with 9013, other commands with 9011 when they are taken and 9012 when they are done. Answers carry the QN of
what they answer, ST 91, and no wish for an answer to themselves. The 2005 form puts QN into the data area.
"""

from __future__ import annotations

from enum import IntEnum

from zhongshu.sense.protocol.hj212.format import format_packet
from zhongshu.sense.protocol.hj212.message import HJ212Message

INTERACTION_ST = "91"
REQUEST_ANSWER, RESULT, NOTICE_ANSWER, DATA_ANSWER, HEARTBEAT = "9011", "9012", "9013", "9014", "9015"

NOTICES = frozenset(("1013", "2012", "2022", HEARTBEAT))
"""Answered by 9013: 1013 set my clock, 2012 and 2022 stop sending; 9015 the heartbeat of HJ 212-2025."""

_UNKNOWN_RULE = frozenset(("2071", "2072", "9021", "9022"))
"""Commands of 2005 (alarms, log-in) whose answering rule was not established: they get no answer from us."""


class RequestResult(IntEnum):
    """QnRtn of a 9011 (HJ 212-2017, table of request results)."""

    READY = 1
    REFUSED = 2
    WRONG_PASSWORD = 3
    WRONG_MN = 4
    WRONG_ST = 5
    WRONG_FLAG = 6
    WRONG_QN = 7
    WRONG_CN = 8
    WRONG_CRC = 9
    UNKNOWN = 100


class Execution(IntEnum):
    """ExeRtn of a 9012 (HJ 212-2017, table of execution results)."""

    DONE = 1
    FAILED = 2
    WRONG_CONDITION = 3
    TIMED_OUT = 4
    BUSY = 5
    BROKEN = 6
    NO_DATA = 100


def find_answer_code(message: HJ212Message) -> str | None:
    """CN of the answer the sender waits for; None when it wants none or answers us itself."""
    cn = message.cn
    if not message.is_answer_wanted or cn in _UNKNOWN_RULE:
        return None
    if cn in NOTICES:
        return NOTICE_ANSWER
    if cn.startswith("90"):
        return None
    return DATA_ANSWER if message.find("DataTime") is not None else REQUEST_ANSWER


def build_answer(message: HJ212Message, result: RequestResult = RequestResult.READY) -> bytes | None:
    """The packet the sender waits for, or None. Each packet of a divided message is answered for itself.

    `result` is used for 9011 only. For uploads, send it after the data are safe: there is no answer that takes it back.
    """
    code = find_answer_code(message)
    if code is None:
        return None
    return _build(message, code, [("QnRtn", str(int(result)))] if code == REQUEST_ANSWER else [])


def build_result(message: HJ212Message, result: Execution = Execution.DONE) -> bytes:
    """The 9012 that tells how the command in `message` went. For the device's side, that is, for simulators."""
    return _build(message, RESULT, [("ExeRtn", str(int(result)))])


def _build(message: HJ212Message, code: str, fields: list[tuple[str, str]]) -> bytes:
    qn = message.qn or message.find("QN")
    if message.version == 0:
        group = [("QN", qn), *fields] if qn else fields
        return format_packet(
            cn=code, mn=message.mn, st=INTERACTION_ST, pw=message.pw or "", qn=None, groups=[group] if group else [],
            version=0 if code == REQUEST_ANSWER else None,
        )  # fmt: skip
    return format_packet(
        cn=code, mn=message.mn, st=INTERACTION_ST, pw=message.pw or "", qn=qn, groups=[fields] if fields else [],
        version=message.version,
    )  # fmt: skip
