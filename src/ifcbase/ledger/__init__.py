"""Storing and reading results: one interface, several transports."""
