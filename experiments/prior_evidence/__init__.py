"""Parts of `embedded_prior.py`: what is kept of a group of samples, and the page."""
