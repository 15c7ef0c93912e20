"""One file a system; all are built from settings and give a score for each pattern."""
