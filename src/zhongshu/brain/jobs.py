"""What the worker does for this floor on a schedule."""

import logging

from django.conf import settings

from zhongshu.brain.fuse import run_rule
from zhongshu.brain.rule import Rule
from zhongshu.brain.rule.lake import LakeSource
from zhongshu.kernel.job import JobRun, job
from zhongshu.kernel.lake import Lake
from zhongshu.kernel.registry import registry

__all__ = ["run_rules"]

SLACK_US = 120_000_000
"""How long beyond its interval a reading may be under way before its window counts as complete, µs (local: zhongshu)."""

log = logging.getLogger(__name__)


@job("brain.rule.run", every="1 min")
def run_rules(run: JobRun) -> dict[str, int]:
    """Evaluate every declared rule on the windows that are due; a rule that fails stops no other, and is tried again in the next run."""
    rules: list[Rule] = list(registry.list("rule").values())
    signals, failed = 0, []
    lake = Lake(settings.HOUSE.path("lake"), settings.TIME_ZONE, check=False)
    try:
        for step, rule in enumerate(rules):
            try:
                signals += run_rule(rule, LakeSource(lake, rule.feed.period_s * 1_000_000 + SLACK_US))
            except Exception:
                log.exception("rule %s failed", rule.name)
                failed.append(rule.name)
            run.progress((step + 1) / len(rules), rule.name)
    finally:
        lake.close()
    if failed:
        raise RuntimeError(f"these rules failed: {', '.join(failed)}")
    return {"rules": len(rules), "signals": signals}
