import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.conftest import Installation, free_port, wait_for

from .browser import Browser

HOUSE = Path(__file__).parent / "house.py"
PARTS = ("web", "gateway", "pipeline", "worker")


class Journey(Installation):
    """A small house with its processes under one `zhongshu run`."""

    def __init__(self, home):
        self.web_port = free_port()
        super().__init__(home, web_port=self.web_port)
        self.environment["ZHONGSHU_WEB_PORT"] = str(self.web_port)
        self.home.mkdir()
        self.run("migrate")
        self.ask_house("build")

    def ask_house(self, *words):
        done = subprocess.run([sys.executable, str(HOUSE), *words], env=self.environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout) if done.stdout else None

    def run_all(self):
        command = [sys.executable, "-m", "zhongshu", "run", *PARTS]
        with (self.home / "run.out").open("wb") as out:
            self.processes["run"] = subprocess.Popen(command, env=self.environment, stdout=out, stderr=out, start_new_session=True)
        wait_for(lambda: all(self.is_open(p) for p in (self.web_port, self.intake_port)), 60, "the opening of web and gateway")
        return [int((self.home / "run" / f"{name}.pid").read_text()) for name in PARTS]

    def end_all(self):
        """End everything politely; returns the exit status and what was said."""
        process = self.processes.pop("run")
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
        return status, (self.home / "run.out").read_text()

    def select(self, sql, *options):
        return json.loads(self.run("lake", sql, "--output", "json", "--limit", "100000", *options).stdout)

    def open_browser(self, login="", password=""):
        browser = Browser(self.web_port)
        if login:
            browser.log_in(login, password)
        return browser


@pytest.fixture
def house(tmp_path):
    made = Journey(tmp_path / "home")
    yield made
    for process in made.processes.values():  # the test failed before its end
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
