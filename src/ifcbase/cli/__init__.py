"""The command line: one verb group per file, no rule of its own."""
