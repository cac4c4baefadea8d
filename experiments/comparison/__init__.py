"""Parts of `objectives.py`, `distilled.py` and `leak.py`: runs, what is said of them, and pages."""
