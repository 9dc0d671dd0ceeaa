"""Sample buildings with known clashes, in revisions."""
