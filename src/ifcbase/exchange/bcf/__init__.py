"""BCF 2.1 and 3.0: one topic per finding, with a viewpoint that shows it."""
