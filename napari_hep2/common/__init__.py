"""Small widgets that two wings show alike."""
