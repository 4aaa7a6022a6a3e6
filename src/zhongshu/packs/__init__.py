"""Packs: one folder per sector."""
