"""Which raw ASGI application serves which address prefix of the web origin."""

from typing import Any

from zhongshu.kernel.home import House
from zhongshu.portal.live import build_live
from zhongshu.portal.tiles.app import build_tiles

__all__ = ["build_mounts"]


def build_mounts(house: House) -> dict[str, Any]:
    """Return prefix → application, longest prefixes first."""
    return {"/tiles/": build_tiles(), "/live/": build_live(house)}
