"""Facts about cases."""

from zhongshu.kernel.event import event_kind, publish

from .models import Case

__all__ = ["publish_case"]

for _name, _about in (
    ("work.case.opened", "case, case_no, kind, state, level, event, division, organisation (uids or ''), act"),
    ("work.case.changed", "as opened: an act of a person or of the system"),
    ("work.case.closed", "as opened: the case has ended, state closed or void"),
    ("work.case.overdue", "as opened, with escalation (0: just overdue) and told (uid of the organisation told, or '')"),
):
    event_kind(_name, about=_about)


def publish_case(name: str, case: Case, act: str, **more: object) -> None:
    """Put a fact about a case in the outbox of the open change."""
    data = {
        "case": str(case.uid),
        "case_no": case.case_no,
        "kind": case.kind,
        "state": str(case.state),
        "level": str(case.level),
        "event": case.event_uid,
        "division": str(case.division.uid) if case.division else "",
        "organisation": str(case.organisation.uid) if case.organisation else "",
        "act": act,
    }
    publish(name, str(case.uid), data | more)
