"""What the worker does to the lake on a schedule, so that commits stay quick and files few. Each step may be killed and is simply done again."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from zhongshu.kernel.lake.lake import Lake, _replace
from zhongshu.kernel.lake.rewrite import compact_day, compact_small, drop_partitions, fold_late, hold_maintenance, list_parquet

__all__ = ["Maintenance", "maintain_lake"]


@dataclass(frozen=True)
class Maintenance:
    """How the lake is kept.

    `settle_s` after its end a day is first rewritten; within `late_days` it is rewritten again only for `many` further files, after that for any.
    `keep_files_s`: how long files that are no longer listed stay for readers still using them (and for writers not yet done with theirs).
    `keep_commits_s`: how long commits stay behind a checkpoint. `keep_days`: table → days kept, by partition (0 or absent: for ever).
    """

    settle_s: float = 3600
    late_days: int = 3
    many: int = 64
    keep_files_s: float = 6 * 3600
    keep_commits_s: float = 3600
    keep_days: Mapping[str, int] = field(default_factory=lambda: {"frame": 90})
    memory: str = "2GB"


def maintain_lake(lake: Lake, now_us: int, plan: Maintenance | None = None, needed_from: Mapping[str, int] | None = None) -> dict[str, int]:
    """Do everything that is due and return counts: `folded` rows, `joined` partitions, `days` rewritten, `dropped`, `swept` files, `cleaned` commits.

    `needed_from` names the first commit per table that somebody still has to read (the roll-ups); it is not cleaned away. Raises `LakeBusy` when another
    process is at it.
    """
    plan = plan or Maintenance()
    done = dict.fromkeys(("folded", "joined", "days", "dropped", "swept", "cleaned"), 0)
    done["folded"] = fold_late(lake, memory=plan.memory)
    for name, spec in lake.tables.items():
        if not (lake.root / name / "_delta_log").is_dir():
            continue
        done["joined"] += compact_small(lake, name, at_least=plan.many, memory=plan.memory)
        if spec.partition == "day":
            done["days"] += _compact_closed(lake, name, now_us, plan)
            if plan.keep_days.get(name):
                done["dropped"] += drop_partitions(lake, name, (lake.days.on(now_us) - timedelta(days=plan.keep_days[name])).isoformat())
        done["swept"] += _sweep(lake, name, plan)
        stored = lake.open(name)
        stored.refresh()
        done["cleaned"] += stored.clean_commits(plan.keep_commits_s, (needed_from or {}).get(name, 1 << 62))
    lake.sync()
    return done


def _read_state(lake: Lake) -> dict[str, dict[str, dict[str, object]]]:
    try:
        found: dict[str, dict[str, dict[str, object]]] = json.loads((lake.root / "maintained.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {"compact": {}, "idle": {}}
    return found


def _compact_closed(lake: Lake, table: str, now_us: int, plan: Maintenance) -> int:
    open_day = lake.days.on(now_us - int(plan.settle_s * 1e6)).isoformat()
    settled = (lake.days.on(now_us) - timedelta(days=plan.late_days)).isoformat()
    stored = lake.open(table)
    stored.refresh()
    days: dict[str, set[str]] = {}
    for file in stored.files():
        if file.partition is not None and file.partition < open_day:
            days.setdefault(file.partition, set()).add(file.relative)
    count = 0
    for day, files in sorted(days.items()):
        state = _read_state(lake)
        known = state["compact"].setdefault(table, {})
        fresh = files - set(known.get(day, ()))  # type: ignore[call-overload]
        if fresh and (day not in known or day < settled or len(fresh) >= plan.many):
            compact_day(lake, table, day, memory=plan.memory)
            known[day] = [file.relative for file in stored.files() if file.partition == day]
            _replace(lake.root / "maintained.json", state)
            count += 1
    return count


def _sweep(lake: Lake, table: str, plan: Maintenance) -> int:
    """Remove files that no commit lists and that have been seen idle for `keep_files_s`."""
    with hold_maintenance(lake):
        stored = lake.open(table)
        present = {str(path.relative_to(stored.root)): path for path in list_parquet(stored.root)}
        stored.refresh()
        live = {file.relative for file in stored.files()}
        state, now = _read_state(lake), time.time()
        before = state["idle"].get(table, {})
        idle: dict[str, object] = {name: before.get(name, now) for name in present.keys() - live}
        old = [name for name, since in idle.items() if now - float(str(since)) >= plan.keep_files_s and now - present[name].stat().st_mtime >= plan.keep_files_s]
        # the commit that let go of them must be durable first
        if old:
            lake.sync()
        for name in old:
            present[name].unlink(missing_ok=True)
            del idle[name]
        state["idle"][table] = idle
        _replace(lake.root / "maintained.json", state)
    return len(old)
