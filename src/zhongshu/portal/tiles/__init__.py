"""Vector tiles of every kind of record that stands somewhere, for the rights of the caller."""

from .points import Points, PointTable, get_points

__all__ = ["PointTable", "Points", "get_points"]
