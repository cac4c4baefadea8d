"""Parametric motions: actions as functions of time and a few random numbers of style.

Each draws its tempo, phase, amplitude and manner from the generator, and none knows the skeleton
except through the reach of its legs, so planted feet stay where they are on any body.
"""

import math
from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data import body_actions, daily_actions, gaits, limb_actions
from motiondistill.data.choreography import SIDES, Choreography, Wave, perform
from motiondistill.structures import Motion

_GAITS: Final[dict[str, Callable[[Wave, torch.Generator], Choreography]]] = {
    "walk": gaits.walk,
    "run": gaits.run,
}
_BODY_ACTIONS: Final[dict[str, Callable[[Wave, torch.Generator, Tensor], Choreography]]] = {
    "stand": body_actions.stand,
    "squat": body_actions.squat,
    "jumping jacks": body_actions.jumping_jacks,
    "raise both arms": body_actions.raise_both_arms,
    "bow": body_actions.bow,
    "jump": body_actions.jump,
    "sit": daily_actions.sit,
    "dance": daily_actions.dance,
}
_LIMB_ACTIONS: Final[dict[str, Callable[[Wave, torch.Generator, Tensor, int], Choreography]]] = {
    "wave": limb_actions.wave,
    "kick": limb_actions.kick,
    "punch": limb_actions.punch,
    "drink": daily_actions.drink,
    "throw": daily_actions.throw,
}
PARAMETRIC_ACTIONS: Final = (*_GAITS, *_BODY_ACTIONS, *_LIMB_ACTIONS)


def parametric_motion(
    action: str,
    side: str,
    generator: torch.Generator,
    rest_joints: Float[Tensor, "joints 3"],
    fps: float,
    frames: int,
) -> Motion:
    """A new motion of one of `PARAMETRIC_ACTIONS`.

    `side` ("left" or "right") names the limb of the actions that have one; the others ignore it.
    """
    if action not in PARAMETRIC_ACTIONS:
        raise ValueError(
            f"`action` must be one of {', '.join(PARAMETRIC_ACTIONS)}; got {action!r}."
        )
    if side not in SIDES:
        raise ValueError(f"`side` must be left or right; got {side!r}.")
    if not 0 < fps < math.inf or frames < 1:
        raise ValueError(
            f"`fps` and `frames` must be positive, got {fps} and {frames}; ask for 16 frames at 8."
        )
    times = torch.arange(frames) / fps
    if action in _GAITS:
        steps = _GAITS[action](times, generator)
    elif action in _BODY_ACTIONS:
        steps = _BODY_ACTIONS[action](times, generator, rest_joints)
    else:
        steps = _LIMB_ACTIONS[action](times, generator, rest_joints, SIDES.index(side))
    return perform(steps, rest_joints, fps)
