"""ifcbase: an honest ledger of IFC model checks."""

__version__ = "0.1.0"
