"""Every table of the paper, ours beside theirs: many runs and one page."""
