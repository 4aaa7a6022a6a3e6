"""Floor 0, security: who may do what."""
