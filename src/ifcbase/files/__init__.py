"""Where bytes live: named by what they contain."""
