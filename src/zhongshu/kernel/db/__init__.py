"""Database back ends of the house."""
