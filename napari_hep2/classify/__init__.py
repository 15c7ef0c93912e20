"""*Classify*: a pattern on every cell, a verdict on the specimen, a worklist."""
