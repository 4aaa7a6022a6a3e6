"""A house of its own for every test run, before anything reads settings."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 where there is one, tests' databases live in memory: their thousands of syncs prove nothing about the disk
_home = tempfile.mkdtemp(prefix="zhongshu-test-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["ZHONGSHU_HOME"] = _home
os.environ["ZHONGSHU_CITY_LANGUAGE"] = "en"  # what tests read in refusals is the source text
os.environ["DJANGO_SETTINGS_MODULE"] = "zhongshu.config.settings"

import django  # noqa: E402
from django.conf import settings  # noqa: E402

django.setup()
assert str(settings.HOUSE.home) == _home
del os.environ["DJANGO_SETTINGS_MODULE"]  # workers of pytest-xdist inherit the environment and must come through here too
