"""What all tests share: a house of its own, real data when it is there, frozen registry."""

import os
import tempfile
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")  # where there is one, tests' databases live in memory: their thousands of syncs prove nothing about the disk
os.environ["ZHONGSHU_HOME"] = tempfile.mkdtemp(prefix="zhongshu-test-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhongshu.config.settings")


def find_real_data() -> Path | None:
    """Return the folder of real inputs, or None."""
    given = os.environ.get("ZHONGSHU_REALDATA")
    folder = Path(given) if given else Path(__file__).parent.parent.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = find_real_data()
    if folder is None:
        pytest.skip("the real inputs of ../shared/data are not here (set ZHONGSHU_REALDATA)")
    return folder
