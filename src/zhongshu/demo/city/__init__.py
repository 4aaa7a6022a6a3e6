"""The synthetic city: everything in it invented, deterministic by seed, from 100 to 1,000,000 things."""

from .behaviour import READINGS_SCHEMA, FaultShares, build_history, iter_history, list_faults
from .city import City, build_city
from .people import Organisation, Person, Post
from .picture import render_svg
from .things import KINDS, Kind, Property

__all__ = [
    "KINDS",
    "READINGS_SCHEMA",
    "City",
    "FaultShares",
    "Kind",
    "Organisation",
    "Person",
    "Post",
    "Property",
    "build_city",
    "build_history",
    "iter_history",
    "list_faults",
    "render_svg",
]
