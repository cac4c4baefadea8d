"""The start from a motion that is there already: what the field is fitted to, and how far it is."""

import logging

from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.windows import hold_in_place, resample
from motiondistill.motion.timeline import Timeline
from motiondistill.structures import Motion

_log = logging.getLogger(__name__)


def as_reference(motion: Motion, timeline: Timeline) -> Motion:
    """The motion at the timeline's rate and length, held in place; its speed stays.

    Of a longer motion the beginning is taken, and a shorter one stays in its last pose.
    """
    given = (motion.num_frames - 1) / motion.fps
    wanted = (timeline.num_frames - 1) / timeline.fps
    if abs(given - wanted) > 0.5 / timeline.fps:
        told = "the beginning is taken" if given > wanted else "its last pose is held"
        _log.info("the reference lasts %.3g s, and the motion %.3g s: %s", given, wanted, told)
    return hold_in_place(resample(motion, 0.0, timeline.fps, timeline.num_frames))


def reference_error(motion: Motion, reference: Motion) -> Float[Tensor, ""]:
    """Mean squared angle of joints, pelvis included, plus mean squared distance of the pelvis.

    Radians and metres; of hands and a jaw only if both motions have them. Smooth but at half turns.
    """
    cost = _squared_angle(motion.rotations, reference.rotations)
    if motion.hands is not None and reference.hands is not None:
        cost = cost + _squared_angle(motion.hands, reference.hands)
    if motion.jaw is not None and reference.jaw is not None:
        cost = cost + _squared_angle(motion.jaw, reference.jaw)
    apart = motion.translation - reference.translation.to(motion.translation)
    return cost + apart.square().sum(-1).mean()


def _squared_angle(
    turns: Float[Tensor, "*joints 3 3"], wanted: Float[Tensor, "*joints 3 3"]
) -> Float[Tensor, ""]:
    gaps = rotations.to_axis_angle(wanted.to(turns).transpose(-1, -2) @ turns)
    return gaps.square().sum(-1).mean()
