"""Runs on disk and on the terminal: folders, checkpoints, resuming, batches, progress."""
