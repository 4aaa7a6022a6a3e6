"""All tables of this floor, gathered for Django."""

from .identity.models import Organisation, Post, User

__all__ = ["Organisation", "Post", "User"]
