"""What all tests share: a house of its own, real data when it is there, frozen registry."""

import os
import tempfile
from pathlib import Path

import pytest

os.environ["ZHONGSHU_HOME"] = tempfile.mkdtemp(prefix="zhongshu-test-")
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
