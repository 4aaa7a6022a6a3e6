"""Where readings come in. Nothing is acknowledged before the log has synced it."""
