"""Runs the tests marked `long`, each in a process of its own, in parts of at most nine minutes: what is left over is done by the next call.

    python scripts/long.py [--minutes 9] [--all] [--again] [--output docs/measurements/long.txt] [pytest selections …]

What has passed at this commit is remembered in test-results/long.json and not run again; what failed is. Exit 0: nothing failed (the last line tells what is left).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
STATE = ROOT / "test-results" / "long.json"
TAIL = 30


def ask(*command: str) -> str:
    """Return what a command prints."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def list_tests(selections: list[str]) -> list[str]:
    """Return the ids of the long tests."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-m", "long", "--collect-only", *selections], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 5):
        sys.exit(done.stdout + done.stderr)
    return [line for line in done.stdout.splitlines() if "::" in line and not line.startswith(" ")]


def read_state(tests: list[str]) -> dict[str, dict[str, object]]:
    """Return test → result of what was done at this very commit (with no changes since)."""
    try:
        kept = json.loads(STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: result for name, result in kept["results"].items() if name in tests} if kept.get("commit") == find_commit() else {}


def find_commit() -> str:
    """Return the commit, and with uncommitted changes what they are."""
    return ask("git", "rev-parse", "HEAD") + ask("git", "status", "--porcelain", "--untracked-files=no")


def run(test: str, seconds: float) -> dict[str, object]:
    """Run one test for at most `seconds`; its output is kept."""
    began = time.monotonic()
    environment = {**os.environ, "ZHONGSHU_LONG_SECONDS": str(int(seconds))}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-s", "-m", "long", test], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        outcome, text = ("passed" if done.returncode == 0 else "FAILED"), done.stdout
        if outcome == "passed" and " skipped" in text and " passed" not in text:
            outcome = "skipped"
    except subprocess.TimeoutExpired as late:
        outcome, text = "FAILED", f"{_text(late.stdout)}\nnot done after {seconds:.0f} s"
    return {"outcome": outcome, "seconds": round(time.monotonic() - began, 1), "output": text.splitlines()[-TAIL:]}


def _text(output: str | bytes | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def write(results: dict[str, dict[str, object]], output: Path | None) -> None:
    """Remember the results, and write them for people."""
    STATE.parent.mkdir(exist_ok=True)
    STATE.write_text(json.dumps({"commit": find_commit(), "results": results}, indent=1), encoding="utf-8")
    if output is not None:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        machine = f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, CPython {platform.python_version()}"
        lines = [f"Long tests, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {ask('git', 'rev-parse', '--short', 'HEAD')}, {machine}", ""]
        for test, result in results.items():
            lines += [f"{result['outcome']:8}{result['seconds']:>7} s  {test}", *(f"    {line}" for line in result["output"]), ""]  # type: ignore[attr-defined]
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("\n".join(lines), encoding="utf-8")


def main() -> int:
    """Run one part (or, with --all, part after part) and tell what is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("selections", nargs="*", help="files or ids, as for pytest")
    parser.add_argument("--minutes", type=float, default=9.0, help="longest time of one part, and of one test")
    parser.add_argument("--all", action="store_true", help="go on until everything is done")
    parser.add_argument("--again", action="store_true", help="forget what has passed already")
    parser.add_argument("--output", type=Path, help="write the results to this file")
    options = parser.parse_args()
    tests = list_tests(options.selections)
    results = {} if options.again else {name: result for name, result in read_state(tests).items() if result["outcome"] != "FAILED"}
    ends = time.monotonic() + options.minutes * 60
    for test in [test for test in tests if test not in results]:
        left = ends - time.monotonic()
        if left <= 0 and not options.all:
            break
        allowed = options.minutes * 60 if options.all else left
        found = run(test, allowed)
        if found["outcome"] == "FAILED" and not options.all and allowed < options.minutes * 60 and float(str(found["seconds"])) >= allowed - 1:
            break  # this part's time was up, the test gets a whole part of its own next time
        results[test] = found
        print(f"{found['outcome']:8}{found['seconds']:>7} s  {test}", flush=True)
        if found["outcome"] == "FAILED":
            print("\n".join(map(str, found["output"])), flush=True)  # type: ignore[call-overload]
        write(results, options.output)
    failed = sum(result["outcome"] == "FAILED" for result in results.values())
    print(f"{len(results)} of {len(tests)} long tests done, {failed} failed" + (f"; {len(tests) - len(results)} left: run again" if len(results) < len(tests) else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
