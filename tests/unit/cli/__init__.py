"""Tests of the command line, in this process and without a database."""
