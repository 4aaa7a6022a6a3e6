"""Floor roof, portal: pages."""
