"""Backups that restore: the database, the files and the configuration, as one checked set."""
