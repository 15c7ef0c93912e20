"""*LOSO trainer*: start, follow and stop a run that outlives the window."""
