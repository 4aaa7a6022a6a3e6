"""Records on PostgreSQL: the tests that matter most there, run again on a database of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
AGAIN = [
    "tests/kernel/test_record.py",
    "tests/kernel/test_workers.py",
    "tests/security/test_audit.py",
    "tests/work/test_case_journey.py",
]


@pytest.mark.postgres
@pytest.mark.skipif(os.environ.get("ZHONGSHU_TEST_RECORDS") == "postgres", reason="everything runs on PostgreSQL already")
def test_records_workers_audit_and_cases_behave_the_same_on_postgresql(require):
    require("postgres")
    environment = {**os.environ, "ZHONGSHU_TEST_RECORDS": "postgres", "PYTHONPATH": str(ROOT / "src")}
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *AGAIN]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "records on PostgreSQL" in done.stdout and " skipped" not in done.stdout
