"""Floor 5, work: what people do about it."""
