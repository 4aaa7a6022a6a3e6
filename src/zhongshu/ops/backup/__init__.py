"""Backup and restore of a whole installation, between SQLite and PostgreSQL too."""

from .archive import BackupError
from .restore import restore_backup
from .take import create_backup

__all__ = ["BackupError", "create_backup", "restore_backup"]
