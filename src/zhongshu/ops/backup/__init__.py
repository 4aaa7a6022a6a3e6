"""Backup and restore of a whole installation, between SQLite and PostgreSQL too."""

from .archive import BackupError, create_backup, restore_backup

__all__ = ["BackupError", "create_backup", "restore_backup"]
