"""One run of `optimize`: starts, fits and score distillation, from a prompt to a motion."""
