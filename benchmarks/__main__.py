"""Runs the benchmarks one after another, each in a process of its own, and keeps what they print.

    python -m benchmarks [names …] [--output docs/measurements/bench.txt]

Every module of this folder with a `main()` is a benchmark; what it prints is its result. Figures of two runs are compared only with the machine line beside them.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent


def describe_machine() -> str:
    """One line: processor, cores, memory, system, Python, commit."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next((line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")), model)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "no commit"
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}, CPython {platform.python_version()}, {commit}"


def list_benchmarks() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("_") and "def main(" in file.read_text(encoding="utf-8"))


def run(name: str, report: list[str]) -> bool:
    """Run one benchmark, passing on each line as it comes."""
    began = time.monotonic()
    command = [sys.executable, "-u", "-m", f"benchmarks.{name}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        for line in child.stdout or ():
            print(line, end="", flush=True)
            report.append(line.rstrip())
    report.append(f"({name}: {time.monotonic() - began:.0f} s)" if child.returncode == 0 else f"({name} FAILED with {child.returncode})")
    print(report[-1], flush=True)
    return child.returncode == 0


def main() -> int:
    """Run what was asked for."""
    known = list_benchmarks()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which (default: all): {', '.join(known)}")
    parser.add_argument("--output", type=Path, help="write what was printed to this file as well")
    options = parser.parse_args()
    if unknown := set(options.names) - set(known):
        parser.error(f"there is no benchmark {sorted(unknown)[0]!r}; known are {', '.join(known)}")
    report = [f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {describe_machine()}"]
    print(report[0], flush=True)
    fine = True
    for name in options.names or known:
        report += ["", f"== {name}"]
        print(f"\n== {name}", flush=True)
        fine &= run(name, report)
        if options.output:
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.write_text("\n".join(report) + "\n", encoding="utf-8")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
