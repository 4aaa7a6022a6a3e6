"""Floor 2, sense: what the city measures."""
