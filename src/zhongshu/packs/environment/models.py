"""All tables of this pack, gathered for Django."""

from .air import AirDay, AirIndex, AirStation

__all__ = ["AirDay", "AirIndex", "AirStation"]
