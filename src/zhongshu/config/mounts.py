"""Which raw ASGI application serves which address prefix of the web origin."""

from typing import Any

from zhongshu.kernel.home import House

__all__ = ["build_mounts"]


def build_mounts(house: House) -> dict[str, Any]:
    """Return prefix → application, longest prefixes first."""
    return {}
