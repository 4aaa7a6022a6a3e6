"""The desk: what waits for me first, then the case, the thing, the search."""
