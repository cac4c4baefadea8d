"""What is measured of motions and videos: every metric's name, definition, unit and direction.

A version grows whenever a definition changes: numbers of two versions are not to be compared. World
+Y is up, and the floor is y = 0.
"""

from dataclasses import dataclass
from typing import Final, Literal

Direction = Literal["lower", "higher", "like real"]
"""What is good: less, more, or what real motions have."""
Kind = Literal["physical", "video", "reference", "set", "own"]
"""What it is measured on: one motion, a video, a motion against references, a set of motions, or a
set by our own recogniser."""


@dataclass(frozen=True)
class Metric:
    """One metric; its values are comparable within one id and version."""

    id: str
    title: str
    unit: str
    """SI, or 1 for shares and ratios."""
    direction: Direction
    kind: Kind
    definition: str
    rewards_stillness: bool = False
    """Whether a statue would get the best value: then read it beside the dynamic degree."""
    version: int = 1


@dataclass(frozen=True)
class Measurement:
    """A metric's value, or the reason why there is none."""

    metric: Metric
    value: float | None
    n: int
    """How many frames, motions or pairs it rests on; the metric's definition tells which."""
    interval: tuple[float, float] | None = None
    """95 %, where it was estimated."""
    note: str = ""
    """Why there is no value, or what must be known of it."""


_PHYSICAL: Final = (
    Metric(
        "foot_skating_ratio",
        "foot skating",
        "1",
        "lower",
        "physical",
        "Share of the frame steps with a foot in contact in which such a foot is faster than 0.5 "
        "m/s along the floor. A foot is in contact where its lowest point stays below 5 cm, unless "
        "the other low foot is slower and they move apart by over 0.2 m/s. n: frames.",
        rewards_stillness=True,
    ),
    Metric(
        "sliding_distance",
        "sliding distance",
        "m",
        "lower",
        "physical",
        "Way along the floor of the lowest points of feet in contact, summed over steps and feet; "
        "longer motions slide farther. n: frames.",
        rewards_stillness=True,
    ),
    Metric(
        "sliding_speed",
        "sliding speed",
        "m/s",
        "lower",
        "physical",
        "Mean speed along the floor of the lowest points of feet in contact. n: frames.",
        rewards_stillness=True,
    ),
    Metric(
        "treadmill_sliding_speed",
        "sliding on a treadmill",
        "m/s",
        "lower",
        "physical",
        "Sliding speed on a floor that moves evenly at the median velocity of the lower foot: for "
        "motions held in place. n: frames.",
        rewards_stillness=True,
    ),
    Metric(
        "penetration",
        "penetration",
        "m",
        "lower",
        "physical",
        "Depth of the lowest vertex below y = 0, mean over all frames. n: frames.",
    ),
    Metric(
        "floating",
        "floating",
        "m",
        "lower",
        "physical",
        "Height of the lowest vertex above y = 0, mean over all frames; jumps float, too. n: "
        "frames.",
    ),
    Metric(
        "jerk",
        "jerk",
        "m/s^3",
        "like real",
        "physical",
        "Mean length over joints and frames of the third difference of world positions; compare "
        "at one frame rate, since differences damp what is fast. n: frames.",
        rewards_stillness=True,
    ),
    Metric(
        "acceleration",
        "acceleration",
        "m/s^2",
        "like real",
        "physical",
        "Mean length over joints and frames of the second difference of world positions. n: "
        "frames.",
        rewards_stillness=True,
    ),
    Metric(
        "joint_limit_violation",
        "joint limits",
        "rad",
        "lower",
        "physical",
        "Root mean square, over frames and the joints below the pelvis, of the angle by which the "
        "axis-angle offset from the neutral stance leaves its anatomical range. n: frames.",
    ),
    Metric(
        "self_penetration",
        "self-penetration",
        "m",
        "lower",
        "physical",
        "Root mean square over frames of the overlaps of limbs as capsules, those of one frame "
        "added in squares; limbs that touch in the T-pose are left out. n: frames.",
    ),
    Metric(
        "dynamic_degree",
        "dynamic degree",
        "m/s",
        "like real",
        "physical",
        "Mean speed of the joints other than the pelvis in the pelvis' own axes: zero for whatever "
        "moves stiffly. n: frames.",
    ),
    Metric(
        "root_speed",
        "root speed",
        "m/s",
        "like real",
        "physical",
        "Mean speed of the pelvis along the floor. n: frames.",
    ),
)
_VIDEO: Final = (
    Metric(
        "temporal_flickering",
        "flickering",
        "1",
        "higher",
        "video",
        "1 less the mean absolute difference of neighbouring frames, sRGB in [0, 1] (VBench). n: "
        "frames.",
        rewards_stillness=True,
    ),
    Metric(
        "clip_score",
        "CLIP score",
        "1",
        "higher",
        "video",
        "Mean over frames of 100 times the cosine of CLIP's embeddings of image and prompt; "
        "comparable within one set of CLIP weights only. n: frames.",
    ),
)
_REFERENCE: Final = (
    Metric(
        "nearest_reference",
        "nearest reference",
        "m",
        "lower",
        "reference",
        "Least over references of the PA-MPJPE, mean over the motion's frames at 8/s, along the "
        "best path in time: each frame meets one of the reference, in order, at tempos from 0 to "
        "2, and the motion may lie anywhere within the reference. Blind to place and heading. n: "
        "references.",
    ),
    Metric(
        "motion_fidelity",
        "motion fidelity",
        "1",
        "higher",
        "reference",
        "How alike the nearest reference (from where it begins to match) moves in the image: "
        "tracks of the same 100 vertices at 8/s from the front and the left, mean over the tracks "
        "of either of the greatest correlation with one of the other; correlation is the mean "
        "over time of the cosine of displacements, 1 where both rest, 0 where one does (Yatim et "
        "al. 2024). n: tracks.",
    ),
)
_SET: Final = (
    Metric(
        "diversity_joints",
        "diversity of joints",
        "m",
        "like real",
        "set",
        "Mean over all pairs of motions of the mean distance of their joints at equal times, at "
        "8/s from the start on, as long as both last; the first frames' pelvis lies over the "
        "origin and faces +Z. n: motions.",
    ),
    Metric(
        "multimodality_joints",
        "multimodality of joints",
        "m",
        "like real",
        "set",
        "Mean over prompts with several motions of the diversity among their motions. n: prompts.",
    ),
)
_OWN_NOTE: Final = (
    " By our own action recogniser, whose weights the hash tells: never compare it with figures of "
    "HumanML3D's evaluator. It is blind to place, heading, drift, size and left or right."
)
_OWN: Final = (
    Metric(
        "fid_own",
        "FID (own)",
        "1",
        "lower",
        "own",
        "Frechet distance of Gaussians fitted to features of the motions' and the references' "
        "windows of 2 s (96 hidden units), refused for fewer than 192 windows or 10 motions a set; "
        "the interval from drawing whole motions anew. n: "
        "windows of the smaller set." + _OWN_NOTE,
    ),
    *(
        Metric(
            f"r_precision_top{k}_own",
            f"R-precision top {k} (own)",
            "1",
            "higher",
            "own",
            "No text encoder: classification. In pools of 32 motions, how often one of the "
            f"{k} nearest to the prompt's action shows this action; a motion is the recogniser's "
            "probabilities, an action the one-hot vector. Mean of 20 draws of pools, and its "
            "interval. n: motions whose prompt names one known action." + _OWN_NOTE,
        )
        for k in (1, 2, 3)
    ),
    Metric(
        "mm_dist_own",
        "MM-Dist (own)",
        "1",
        "lower",
        "own",
        "Mean distance of the recogniser's probabilities from the one-hot vector of the prompt's "
        "action; 0 to sqrt 2. n: motions whose prompt names one known action." + _OWN_NOTE,
    ),
    Metric(
        "diversity_own",
        "diversity (own)",
        "1",
        "like real",
        "own",
        "Mean distance of features of random pairs of motions, at most 300 pairs; mean of 20 draws "
        "and its interval. n: motions." + _OWN_NOTE,
    ),
)
CATALOGUE: Final = {
    metric.id: metric for metric in (*_PHYSICAL, *_VIDEO, *_REFERENCE, *_SET, *_OWN)
}
"""Every metric by its id, in the order of tables."""
STILL: Final = 0.05
"""Dynamic degree below which a motion counts as a statue, m/s."""


def known(id: str, value: float, n: int, note: str = "") -> Measurement:
    """A value of this metric; `note` says why where it is not a number, which becomes None."""
    finite = value == value and abs(value) != float("inf")
    return Measurement(CATALOGUE[id], value if finite else None, n, None, note)


def unknown(id: str, n: int, reason: str) -> Measurement:
    """That this metric has no value, and why."""
    return Measurement(CATALOGUE[id], None, n, None, reason)
