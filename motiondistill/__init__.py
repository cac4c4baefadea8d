"""Text-to-motion by score distillation from frozen video diffusion models."""

import os

# OpenMP's idle threads spin for milliseconds on the cores that the rasteriser's own are waiting
# for. Read once, when torch is loaded; what the user has set stays.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
