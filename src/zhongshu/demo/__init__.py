"""The synthetic city and its simulators."""
