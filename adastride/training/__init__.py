"""Data sets, the training loop and evaluation."""
