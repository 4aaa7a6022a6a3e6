"""SQLite with one writer at a time across all processes."""
