"""Tests of the room where bytes live."""
