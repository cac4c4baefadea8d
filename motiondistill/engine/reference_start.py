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
    apart = motion.translation - reference.translation.to(motion.translation)
    cost = apart.square().sum(-1).mean()
    for turns, wanted in (
        (motion.rotations, reference.rotations),
        (motion.hands, reference.hands),
        (motion.jaw, reference.jaw),
    ):
        if turns is not None and wanted is not None:
            cost = cost + rotations.squared_angle(wanted.to(turns), turns).mean()
    return cost
