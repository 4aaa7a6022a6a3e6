"""Which raw ASGI application serves which address prefix of the web origin."""

from typing import Any

from zhongshu.kernel.home import House
from zhongshu.portal.live import build_live
from zhongshu.portal.tiles.app import build_tiles
from zhongshu.sense.gateway.mounted import MountedIntake

__all__ = ["build_mounts"]


def build_mounts(house: House) -> dict[str, Any]:
    """Return prefix → application. One that has a `close` is closed when the process ends."""
    mounts: dict[str, Any] = {"/tiles/": build_tiles(), "/live/": build_live(house)}
    if house.web.intake:
        mounts["/intake/"] = MountedIntake(house)
    return mounts
