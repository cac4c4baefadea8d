"""Views that guidance should push away from, because the clip is seen from another side (Perp-Neg).

A video model prefers the front, whatever the prompt says. Three views stand for the circle: front,
side (the nearer one) and back. The weights are those of threestudio's Perp-Neg for Stable
Diffusion; they were not measured on any video model.
"""

import math
from collections.abc import Callable

from motiondistill.prompts import with_words

NUM_NEGATIVES = 2


def view_negatives(azimuth: float) -> tuple[tuple[str, float], tuple[str, float]]:
    """Two views' words, each with its weight, below zero, for a camera at `azimuth`.

    Radians against the heading, positive towards the subject's left. From the front to the side the
    two are front and side, from the side to the back side and front. A view weighs nothing where it
    is the right one, and the front the more, the further away it is.
    """
    angle = math.remainder(azimuth, 2 * math.pi)
    side = "left side view" if angle >= 0 else "right side view"
    r = abs(angle) / (math.pi / 2)
    if r < 1:
        return ("front view", -_decay(4.0, 1 - r)), (side, -_decay(4.0, r))
    away = _decay(1.0, 2 - r)
    return (side, -away), ("front view", -_decay(4.0, 0.0) - away)


def negative_prompts(
    prompt: str, azimuths: list[float], filled: Callable[[str, str], str] = with_words
) -> tuple[list[list[str]], list[list[float]]]:
    """For each of the two negatives, the prompts and the weights for all azimuths.

    `filled` puts a view's words to the prompt.
    """
    pairs = [view_negatives(azimuth) for azimuth in azimuths]
    words = [[filled(prompt, pair[k][0]) for pair in pairs] for k in range(NUM_NEGATIVES)]
    weights = [[pair[k][1] for pair in pairs] for k in range(NUM_NEGATIVES)]
    return words, weights


def _decay(height: float, r: float) -> float:
    """`height exp(-r / 2)` less its value at r = 1."""
    return height * (math.exp(-r / 2) - math.exp(-0.5))
