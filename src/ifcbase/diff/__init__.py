"""The check "diff" (worker ifcdiff): what changed between two versions of a model."""
