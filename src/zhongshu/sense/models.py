"""All tables of this floor, gathered for Django."""

from .device.models import Connection, Mounting, Product, Property, Stream, Thing, Threshold
from .observe.models import Alarm

__all__ = ["Alarm", "Connection", "Mounting", "Product", "Property", "Stream", "Thing", "Threshold"]
