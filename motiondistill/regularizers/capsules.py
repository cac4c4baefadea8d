"""Limbs as capsules, all points within a radius of a segment, and that they do not overlap."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, PART_NAMES, Mesh

# Each capsule: the joints or tips at its ends, and the parts of the body that it stands for.
_MIDDLE: Final = (
    ("pelvis", "spine3", ("pelvis", "spine1", "spine2")),
    ("spine3", "neck", ("spine3",)),
    ("head", "head_tip", ("head", "face")),
)
_SIDES: Final = (
    ("shoulder", "elbow", ("shoulder",)),
    ("elbow", "wrist", ("elbow",)),
    ("wrist", "wrist_tip", ("wrist",)),
    ("hip", "knee", ("hip",)),
    ("knee", "ankle", ("knee",)),
    ("ankle", "foot", ("ankle", "foot")),
)
# No joint lies beyond these: the tip is the middle of the part's vertices.
_TIPS: Final = {
    "head_tip": ("head", "face"),
    "left_wrist_tip": ("left_wrist",),
    "right_wrist_tip": ("right_wrist",),
}
# What hardly has a length, square metres, has no direction either.
_TINY: Final = 1e-12
# Capsules that are nearer than this at rest are joined, metres.
_JOINED: Final = 0.03


@dataclass(frozen=True)
class Capsules:
    """The capsules of one body, and the pairs that must not overlap."""

    ends: Int[Tensor, "capsules 2"]
    """Of each capsule's segment, counted through the joints and then the tips."""
    radii: Float[Tensor, " capsules"]
    """Metres."""
    pairs: Int[Tensor, "pairs 2"]


def capsules_of(rest: Mesh) -> Capsules:
    """The capsules of a body from one frame of its T-pose.

    A radius is the median distance of the part's vertices from the segment: flesh gives way, and
    what matters is that limbs do not pass through each other. Pairs that already overlap at rest
    are joined there, as thigh and shin are, and may. So may pairs that share a neighbour, such as
    the upper arm and the chest, which lie together in many poses.
    """
    chains = _chains()
    places = {**JOINT_INDEX, **{name: NUM_JOINTS + index for index, name in enumerate(_TIPS)}}
    ends = torch.tensor([[places[first], places[last]] for first, last, _ in chains])
    points = _points(rest)[0]
    starts, stops = points[ends].unbind(1)
    radii = []
    for index, (_, _, parts) in enumerate(chains):
        vertices = rest.vertices[0, _labelled(rest, parts)]
        here = vertices.new_zeros(vertices.shape)
        distances = segment_distance(vertices, vertices, starts[index] + here, stops[index] + here)
        radii.append(distances.median())
    return Capsules(ends, torch.stack(radii), _separate(starts, stops, torch.stack(radii)))


def self_penetration(mesh: Mesh, capsules: Capsules) -> Float[Tensor, ""]:
    """Mean over frames of the sum over pairs of capsules of their squared overlap, m^2.

    The overlap is how far two capsules would have to part to touch only: the sum of their radii
    less the distance of their segments.
    """
    first, second = _points(mesh)[..., capsules.ends, :][..., capsules.pairs, :, :].unbind(-3)
    gaps = segment_distance(
        first[..., 0, :], first[..., 1, :], second[..., 0, :], second[..., 1, :]
    )
    reach = capsules.radii.to(gaps)[capsules.pairs].sum(-1)
    return (reach - gaps).clamp(min=0).square().sum(-1).mean()


def segment_distance(
    first_start: Float[Tensor, "*batch 3"],
    first_stop: Float[Tensor, "*batch 3"],
    second_start: Float[Tensor, "*batch 3"],
    second_stop: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch"]:
    """Smallest distance of two segments (Ericson 2005, Real-Time Collision Detection, 5.1.9).

    Differentiable: the nearest points are found without a gradient, since to first order their
    distance does not change where they slide along the segments (Danskin's theorem). Segments that
    meet have the gradient zero.
    """
    one, other = first_stop - first_start, second_stop - second_start
    apart = first_start - second_start
    s, t = _nearest(one.detach(), other.detach(), apart.detach())
    squared = (apart + s * one - t * other).square().sum(-1)
    return squared.clamp(min=_TINY).sqrt()


def _nearest(
    one: Float[Tensor, "*batch 3"],
    other: Float[Tensor, "*batch 3"],
    apart: Float[Tensor, "*batch 3"],
) -> tuple[Float[Tensor, "*batch 1"], Float[Tensor, "*batch 1"]]:
    """Where the nearest points lie on both segments, as shares of their lengths.

    The squared distance `|apart + s one - t other|^2` is convex: s of the infinite lines, held
    within the segment, gives t, and t held within its segment gives s.
    """

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(-1, keepdim=True)

    length, width, cosine = dot(one, one), dot(other, other), dot(one, other)
    along, across = dot(one, apart), dot(other, apart)
    free = length * width - cosine.square()
    # Parallel segments are nearest in many places; any one does.
    skew = free > 1e-6 * length * width
    s = torch.where(skew, cosine * across - along * width, 0.0)
    s = (s / torch.where(skew, free, 1.0)).clamp(0, 1)
    t = ((cosine * s + across) / width.clamp(min=_TINY)).clamp(0, 1)
    s = ((cosine * t - along) / length.clamp(min=_TINY)).clamp(0, 1)
    return s, t


def _chains() -> list[tuple[str, str, tuple[str, ...]]]:
    sided = [
        (f"{side}_{first}", f"{side}_{last}", tuple(f"{side}_{part}" for part in parts))
        for side in ("left", "right")
        for first, last, parts in _SIDES
    ]
    return [*_MIDDLE, *sided]


def _labelled(mesh: Mesh, parts: tuple[str, ...]) -> Tensor:
    """Which vertices belong to these parts."""
    wanted = torch.tensor([PART_NAMES.index(part) for part in parts], device=mesh.parts.device)
    return torch.isin(mesh.parts, wanted)


def _points(mesh: Mesh) -> Float[Tensor, "*batch frames points 3"]:
    """The joints, and the tips after them."""
    tips = [mesh.vertices[..., _labelled(mesh, parts), :].mean(-2) for parts in _TIPS.values()]
    return torch.cat([mesh.joints, torch.stack(tips, -2)], -2)


def _separate(
    starts: Float[Tensor, "capsules 3"],
    stops: Float[Tensor, "capsules 3"],
    radii: Float[Tensor, " capsules"],
) -> Int[Tensor, "pairs 2"]:
    """The pairs of capsules with a gap between them."""
    pairs = torch.combinations(torch.arange(len(radii), device=radii.device), 2)
    first, second = pairs.unbind(1)
    gaps = segment_distance(starts[first], stops[first], starts[second], stops[second])
    return pairs[gaps > radii[first] + radii[second] + _JOINED]
