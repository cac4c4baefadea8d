"""Parts of `fig1.py`, `fig3.py` and `fig4.py`: runs with several priors, sheets, and their page."""
