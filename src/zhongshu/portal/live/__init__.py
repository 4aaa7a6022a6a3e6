"""Live streams: server-sent events for screens and desks, each written once for everybody who may see the same."""

from .app import build_live, end_streams

__all__ = ["build_live", "end_streams"]
