"""Telling other people's servers what happened, as Standard Webhooks has it."""
