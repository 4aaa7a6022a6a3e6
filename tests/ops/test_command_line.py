"""Every command: help, and a plain sentence with exit code 1 or 2 when it cannot do what was asked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

BAD = {
    "backup": (["backup", "/proc/none/x.tar"], 1, "backup could not be taken"),
    "coverage": (["coverage", "--rows", "/none.tsv"], 1, "/none.tsv does not exist"),
    "decode": (["decode", "telepathy", "##"], (1, 2), "telepathy"),
    "demo": (["demo", "--things", "3"], 2, "3 is not in the range"),
    "doctor": (["doctor", "--loud"], 2, "No such option"),
    "lake": (["lake", "DROP TABLE observation"], 1, "SELECT"),
    "makemigrations": (["makemigrations", "--never"], 2, "No such option"),
    "migrate": (["migrate", "backwards"], 2, "unexpected extra argument"),
    "replay": (["replay", "air-quality", "/none.csv"], 2, "/none.csv"),
    "restore": (["restore", "/none.tar"], 1, "does not exist"),
    "run": (["run", "forward"], 1, "[nats] url"),
    "token": (["token", "create", "--user", "nobody"], 1, "no user 'nobody'"),
    "user": (["user", "lock", "nobody"], 1, "no user 'nobody'"),
    "verify-audit": (["verify-audit", "--limit", "many"], 2, "not a valid integer"),
}


def run_all(installation, wanted):
    done = subprocess.run(
        [sys.executable, str(HERE / "house_commands.py")], env=installation.environment, input=json.dumps(wanted), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def installation(install):
    return install()


def test_every_command_has_a_help_that_says_what_it_does(installation):
    found = run_all(installation, "help")
    assert {words[0] for words, *_ in found} >= set(BAD) - {"nothing"}
    for words, code, out, err in found:
        assert (code, err, "Traceback" in out) == (0, "", False), (words, err)
        usage, _, text = out.partition("\n\n")
        assert usage.startswith("Usage: zhongshu") and len(text.strip().splitlines()[0]) > 15, f"{words}: {out}"


def test_every_command_fails_with_a_sentence_and_never_with_a_traceback(installation):
    commands = {words[0] for words, *_ in run_all(installation, "help")}
    assert commands == set(BAD), "a new command needs its case of bad usage here"
    for words, code, out, err in run_all(installation, [case[0] for case in BAD.values()]):
        _, expected, said = BAD[words[0]]
        assert code in (expected if isinstance(expected, tuple) else (expected,)), (words, code, err, out)
        assert said in err + out and "Traceback" not in err + out, (words, err, out)


@pytest.mark.parametrize(
    ("settings", "arguments", "said"),
    [
        ("[city]\nzone = 'Mars'\n", ["doctor"], "is not a zone name"),
        ("[weather]\n", ["doctor"], "there is no section [weather]"),
        ("[web]\nport = 'x'\n", ["run", "web"], "is not a int"),
        ("[records]\nurl = 'mysql://x/y'\n", ["migrate"], "neither empty (SQLite) nor postgres"),
        ("[records]\nurl = 'postgres://nobody@127.0.0.1:1/none'\n", ["run"], "the records database cannot be used"),
        ("[nats]\nrole = 'both'\n", ["doctor"], "neither 'forward' nor 'receive'"),
    ],
)
def test_settings_that_cannot_be_used_end_a_command_with_a_sentence(installation, settings, arguments, said):
    installation.home.joinpath("zhongshu.toml").write_text(settings)
    installation.environment.pop("ZHONGSHU_RECORDS_URL")
    done = installation.run(*arguments, check=False)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr


def test_an_installation_that_is_not_migrated_says_so(installation):
    for file in installation.home.glob("records.sqlite3*"):
        file.unlink()
    done = installation.run("run", check=False)
    assert done.returncode == 1 and "zhongshu migrate" in done.stderr and "Traceback" not in done.stderr


def test_the_home_option_names_the_folder_before_anything_is_read(tmp_path):
    home = tmp_path / "elsewhere"
    done = subprocess.run([sys.executable, "-m", "zhongshu", "--home", str(home), "doctor", "--json"], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert str(home) in next(f["text"] for f in json.loads(done.stdout) if f["name"] == "data folder")
    assert not (tmp_path / "var").exists()
