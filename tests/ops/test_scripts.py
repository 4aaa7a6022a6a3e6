"""The runners of long tests and benchmarks: parts are resumed, failures are told, what was printed is kept."""

import importlib.util
import subprocess
import sys

from .conftest import ROOT


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_long_tests_are_resumed_where_the_last_part_ended(tmp_path, monkeypatch, capsys):
    long, ran = load(ROOT / "scripts" / "long.py"), []
    monkeypatch.setattr(long, "STATE", tmp_path / "state" / "long.json")
    monkeypatch.setattr(long, "find_commit", lambda: "one")
    monkeypatch.setattr(long, "list_tests", lambda selections: ["a", "b", "c"])
    outcomes = {"a": "passed", "b": "FAILED", "c": "passed"}

    def run(test, seconds):
        ran.append(test)
        return {"outcome": outcomes[test], "seconds": 1.0, "output": [f"measured {test}"]}

    monkeypatch.setattr(long, "run", run)
    output = tmp_path / "long.txt"
    monkeypatch.setattr(sys, "argv", ["long.py", "--output", str(output)])
    assert long.main() == 1 and ran == ["a", "b", "c"]
    assert "3 of 3 long tests done, 1 failed" in capsys.readouterr().out
    outcomes["b"] = "passed"
    assert long.main() == 0 and ran == ["a", "b", "c", "b"]
    assert all(f"measured {name}" in output.read_text() for name in "abc")
    monkeypatch.setattr(sys, "argv", ["long.py", "--minutes", "0", "--again"])
    assert long.main() == 0 and "3 left: run again" in capsys.readouterr().out
    monkeypatch.setattr(long, "find_commit", lambda: "two")
    monkeypatch.setattr(sys, "argv", ["long.py"])
    assert long.main() == 0 and ran[4:] == ["a", "b", "c"]


def test_an_unknown_benchmark_is_refused_with_the_known_ones():
    done = subprocess.run([sys.executable, "-m", "benchmarks", "weather"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "intake" in done.stderr and "Traceback" not in done.stderr
