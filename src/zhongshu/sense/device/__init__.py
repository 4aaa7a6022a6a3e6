"""Devices as users know them: product → thing → stream, how they connect, and what is mounted where."""
