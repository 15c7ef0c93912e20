"""*Review cells*: thousands of crops, decided on by keys."""
