"""Tests of the sample buildings."""
