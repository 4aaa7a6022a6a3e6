"""Floor 4, brain: what it understands."""
