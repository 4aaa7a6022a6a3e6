"""Static checks: format, lint, types, floors, missing migrations, translations. Prints one line per check; exit 1 when one fails."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
CHECKS: list[tuple[str, list[str]]] = [
    ("format", [str(BIN / "ruff"), "format", "--check", "-q", "."]),
    ("lint", [str(BIN / "ruff"), "check", "-q", "."]),
    ("floors", [str(BIN / "lint-imports")]),
    ("types", [str(BIN / "mypy")]),
    ("migrations", [str(BIN / "zhongshu"), "makemigrations", "--check"]),
    ("reference", [sys.executable, "scripts/reference.py", "--check"]),
    ("translations", [sys.executable, "frontend/messages.py", "check"]),
]


def main() -> int:
    """Run all checks and tell how each went."""
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        for name, command in CHECKS:
            started = time.monotonic()
            done = subprocess.run(command, cwd=ROOT, env={**os.environ, "ZHONGSHU_HOME": home}, capture_output=True, text=True, check=False)
            ok = done.returncode == 0
            failed += not ok
            if not ok or "--quiet" not in sys.argv:
                print(f"{'ok  ' if ok else 'FAIL'} {name} ({time.monotonic() - started:.1f} s)")
            if not ok:
                print(done.stdout[-6000:], done.stderr[-3000:])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
