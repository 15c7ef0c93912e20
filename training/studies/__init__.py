"""What rests on several runs: learning curves, label errors, the paper's tables."""
