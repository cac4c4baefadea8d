"""Which clips of motion capture are independent: who recorded whom, and what was recorded twice."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from motiondistill.data.joints import JointClip
from motiondistill.metrics.recogniser_features import pose_features

_SAME = 0.9  # correlation of the limbs' paths from which two clips count as one performance
_MIN_SHARED = 26  # frames; shorter clips of different people are alike by chance
_MAX_SHARED = 200


def subject(clip: JointClip) -> str:
    """The narrowest known origin of a clip: CMU's subject, the source, or the clip itself.

    AMP's clips are of several unknown CMU subjects. The subjects of the eight actions are unknown,
    too, and may be any, so those clips are one group that no test uses.
    """
    match clip.source:
        case "cmu":
            return f"cmu {clip.name.split('_')[0]}"
        case "amp":
            return f"amp {clip.name}"
        case source:
            return source


def independent_groups(clips: Sequence[JointClip]) -> dict[str, str]:
    """For each `subject`, its group: subjects are joined where clips are the same performance.

    Skeletons of one performance differ between sources, so the limbs' directions are compared after
    their means are taken away. Two different people who walk reach 0.9, too: joining them wrongly
    costs test data, and no independence.
    """
    parent = {subject(clip): subject(clip) for clip in clips}

    def root(name: str) -> str:
        return name if parent[name] == name else root(parent[name])

    long = [clip for clip in clips if len(clip.joints) >= _MIN_SHARED]
    paths = [limb_paths(clip.joints) for clip in long]
    for i, one in enumerate(long):
        for j, other in enumerate(long[:i]):
            a, b = root(subject(one)), root(subject(other))
            across = one.source != other.source and "c8" not in (one.source, other.source)
            if a != b and across and likeness(paths[i], paths[j]) > _SAME:
                # A subject's number says more than the name of a clip does.
                kept, joined = sorted((a, b), key=lambda name: (name.startswith("amp"), name))
                parent[joined] = kept
    return {name: root(name) for name in parent}


def likeness(a: Float[Tensor, "_ features"], b: Float[Tensor, "_ features"]) -> float:
    """Highest correlation of the shorter path with a piece of the longer one."""
    short, long = sorted((a, b), key=len)
    short = short[:_MAX_SHARED] - short[:_MAX_SHARED].mean(0)
    pieces = long.unfold(0, len(short), 1)  # [pieces features frames]
    pieces = pieces - pieces.mean(-1, keepdim=True)
    products = (pieces * short.T).sum((1, 2))
    norms = pieces.square().sum((1, 2)).sqrt() * short.square().sum().sqrt()
    return float((products / norms.clamp(min=1e-9)).max())


def limb_paths(joints: Float[Tensor, "frames joints 3"]) -> Float[Tensor, "frames features"]:
    """Directions of arms and legs, each frame seen from its own heading."""
    return pose_features(joints[:, None]).directions[:, 0, :8].flatten(1)
