"""IDS validation: request, check, report."""
