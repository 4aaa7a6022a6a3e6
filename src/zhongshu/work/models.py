"""All tables of this floor, gathered for Django."""

from .case.models import Case, CaseNumber, CaseStep, Responsibility

__all__ = ["Case", "CaseNumber", "CaseStep", "Responsibility"]
