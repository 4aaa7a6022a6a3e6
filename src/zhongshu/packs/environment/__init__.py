"""Ecology and environment: ambient air so far."""
