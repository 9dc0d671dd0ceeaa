"""Clash detection: request, detect, narrow phase, group, report."""
