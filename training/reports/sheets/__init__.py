"""Picture sheets: cells side by side with captions, and where they came from.

`making` gathers the cells of a review, `drawing` makes pages of them, `files` writes
the pages with their provenance and reads it back.
"""
