"""Training: loops, stages and recipes."""
