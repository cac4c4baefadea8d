"""Parts of `long_tail.py`: who sees what how often, their training, and what becomes of it."""
