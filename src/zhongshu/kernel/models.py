"""All tables of this floor, gathered for Django."""

from .event.models import Delivery, Offset, OutboxEvent
from .job.models import Job
from .place.models import Division, DivisionCode, DivisionEdge, DivisionShift
from .state import RegistryState

__all__ = ["Delivery", "Division", "DivisionCode", "DivisionEdge", "DivisionShift", "Job", "Offset", "OutboxEvent", "RegistryState"]
