"""An upright pelvis, and a body that its feet hold up."""

import math
from collections.abc import Iterator
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.metrics.physical import soles_of_mesh
from motiondistill.regularizers.contact import Contact, fade
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, Mesh, Motion

SLOW: Final = 0.4
"""Mean speed of the joints, m/s, up to which a motion counts as slow: fully below half of it, not
at all from one and a half of it. Real walks are faster, and fall from foot to foot."""
# De Leva (1996), Table 4, means of women and men: the segment's share of the body's mass, and its
# centre of mass as a share of the way from the first end to the second one. The head's centre lies
# within 3 cm of our head joint. Hands hang on the wrist, and feet reach to the ball, not the toes.
_MIDDLE: Final = (
    (0.0681, 0.0, "head", "head"),
    (0.2151, 0.5051, "neck", "left_hip"),
    (0.2151, 0.5051, "neck", "right_hip"),
)
_SIDES: Final = (
    (0.0263, 0.5763, "shoulder", "elbow"),
    (0.0150, 0.4567, "elbow", "wrist"),
    (0.00585, 0.0, "wrist", "wrist"),
    (0.1447, 0.3854, "hip", "knee"),
    (0.0457, 0.4438, "knee", "ankle"),
    (0.0133, 0.5, "ankle", "foot"),
)
# Directions around the circle in which a hull is searched for corners.
_DIRECTIONS: Final = 64
# Edges shorter than the root of this are points, square metres.
_TINY: Final = 1e-14


def tilt(motion: Motion) -> Float[Tensor, ""]:
    """Mean of `1 - cos` of the angle between the pelvis' up axis and the vertical."""
    return (1 - motion.rotations[..., 0, 1, 1]).mean()


def balance(mesh: Mesh, fps: float, feet: Contact) -> Float[Tensor, ""]:
    """Mean over frame steps of the squared distance of a slow body's weight from its support, m^2.

    The distance is horizontal, from the centre of mass to the convex hull of the feet in contact,
    both halfway between two frames. With soft contacts it is the expectation over left, right and
    both feet; in flight there is nothing to stand on, and no cost. Steps fade out as the joints
    get faster than `SLOW`, since a fast body need not stand over its feet; neither that nor the
    contacts has a gradient. Unchanged by turns about +Y and shifts along the floor.
    """
    slow = fade((mesh.joints.diff(dim=-3) * fps).detach().norm(dim=-1).mean(-1), SLOW)
    mass = centre_of_mass(_halfway(mesh.joints))[..., [0, 2]]
    left, right = (_halfway(sole)[..., [0, 2]] for sole in soles_of_mesh(mesh))
    on_left, on_right = feet.weights.unbind(-1)
    supports = (
        (on_left * (1 - on_right), left),
        (on_right * (1 - on_left), right),
        (on_left * on_right, torch.cat([left, right], -2)),
    )
    excess = [weight * squared_distance_to_hull(mass, support) for weight, support in supports]
    return (slow * torch.stack(excess).sum(0)).mean()


def centre_of_mass(joints: Float[Tensor, "*batch 22 3"]) -> Float[Tensor, "*batch 3"]:
    """The body's centre of mass from its joints and the segments' mean masses (de Leva 1996)."""
    return torch.einsum("...jc,j->...c", joints, _shares().to(joints))


def squared_distance_to_hull(
    point: Float[Tensor, "*batch 2"], corners: Float[Tensor, "*batch corners 2"]
) -> Float[Tensor, "*batch"]:
    """Squared distance of points from the convex hulls of corners, 0 inside.

    Differentiable in both; a hull's nearest point moves with the corners between which it lies.
    """
    start = _outline(corners)
    edge = start.roll(-1, -2) - start
    gap = point[..., None, :] - start
    with torch.no_grad():
        length = edge.square().sum(-1)
        # To first order the distance stays where the nearest point slides (Danskin's theorem).
        along = ((gap * edge).sum(-1) / length.clamp(min=_TINY)).clamp(0, 1)
        turn = edge[..., 0] * gap[..., 1] - edge[..., 1] * gap[..., 0]
        # Left of every edge; but a hull without an area has no inside.
        real = length > _TINY
        inside = ((turn > 0) | ~real).all(-1) & real.any(-1)
    squared = (gap - along[..., None] * edge).square().sum(-1).amin(-1)
    return torch.where(inside, torch.zeros_like(squared), squared)


def _outline(corners: Float[Tensor, "*batch corners 2"]) -> Float[Tensor, "*batch outline 2"]:
    """The convex hull's corners in their order, counter-clockwise, some of them repeated.

    The farthest corners in directions round the circle, and across each edge between two of these
    the farthest beyond it, as in Quickhull. Corners that this leaves out hardly stand out.
    """
    with torch.no_grad():
        angles = torch.arange(_DIRECTIONS).to(corners) * (2 * math.pi / _DIRECTIONS)
        circle = torch.stack([angles.cos(), angles.sin()], -1)
        first = _farthest(corners, circle.expand(*corners.shape[:-2], -1, -1))
        found = _taken(corners, first)
        edge = found.roll(-1, -2) - found
        outwards = torch.stack([edge[..., 1], -edge[..., 0]], -1)
        single = edge.square().sum(-1, keepdim=True) < _TINY
        beyond = _farthest(corners, torch.where(single, circle, outwards))
    return _taken(corners, torch.stack([first, beyond], -1).flatten(-2))


def _farthest(
    corners: Float[Tensor, "*batch corners 2"], directions: Float[Tensor, "*batch directions 2"]
) -> Int[Tensor, "*batch directions"]:
    """Which corner is the farthest in each direction."""
    return (directions @ corners.transpose(-1, -2)).argmax(-1)


def _taken(
    corners: Float[Tensor, "*batch corners 2"], index: Int[Tensor, "*batch taken"]
) -> Float[Tensor, "*batch taken 2"]:
    return corners.gather(-2, index[..., None].expand(*index.shape, 2))


def _halfway(
    points: Float[Tensor, "*batch frames points 3"],
) -> Float[Tensor, "*batch steps points 3"]:
    """Between every frame and the next."""
    return (points[..., 1:, :, :] + points[..., :-1, :, :]) / 2


def _segments() -> Iterator[tuple[float, float, str, str]]:
    """Share of the mass, place of its centre, and the joints at both ends."""
    yield from _MIDDLE
    for mass, place, first, second in _SIDES:
        for side in ("left", "right"):
            yield mass, place, f"{side}_{first}", f"{side}_{second}"


def _shares() -> Float[Tensor, "22"]:
    """By how much the place of each joint counts for the centre of mass."""
    shares = torch.zeros(NUM_JOINTS, dtype=torch.float64)
    for mass, place, first, second in _segments():
        shares[JOINT_INDEX[first]] += mass * (1 - place)
        shares[JOINT_INDEX[second]] += mass * place
    return shares / shares.sum()
