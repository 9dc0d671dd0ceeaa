"""Checks of the machine and of the database, each with a sentence and its cure."""
