"""What the comparisons ask for, and which prompts are kept for choosing settings."""

from typing import Final

from motiondistill.data.frequencies import RARE_CLIPS

SIDE: Final = "right"
"""Of the actions that have a side."""

DEVELOPMENT: Final = ("kick", "drink")
"""A leg that moves fast and an arm that moves slowly; settings are screened on these alone."""

REPORTED: Final = (
    *("walk", "run", "jump", "jumping jacks", "wave"),
    *("squat", "punch", "raise both arms", "sit", "dance"),
)
"""Common actions whose prompts results are reported for.

`stand` is not among them: what does not move at all would pass.
"""

COMPARED: Final = ("walk", "jumping jacks", "wave", "squat", "punch", "sit")
"""Those on which the best settings of the screening are compared."""

RARE: Final = tuple(RARE_CLIPS)
"""Actions that the embedded prior saw a few times only."""
