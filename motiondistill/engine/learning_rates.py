"""How learning rates go while a stage passes: factors of their highest."""

import math


def warm_cosine(progress: float) -> float:
    """Up within the first twentieth, then down to a tenth along a cosine."""
    return min(1.0, 20 * progress + 0.05) * (0.1 + 0.9 * (1 + math.cos(math.pi * progress)) / 2)


def constant(progress: float) -> float:
    """Always the highest, as the paper's."""
    return 1.0
