"""Conversion of models: other people's 3D formats, floor plans, tables of elements."""
