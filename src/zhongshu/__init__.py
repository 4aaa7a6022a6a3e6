"""zhongshu (中枢), an open, one-install city brain."""

__version__ = "0.1.0"
