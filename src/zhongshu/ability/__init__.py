"""Floor 1, ability: technical services."""
