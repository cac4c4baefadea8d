"""Feet and the floor y = 0: which feet stand on it, and that they neither slide, float nor sink.

What a foot is and where it touches are those of `metrics.physical`: a foot's lowest point from one
frame to the next, in contact below `CONTACT_HEIGHT` (5 cm), unless the other foot is low, too, and
slower by over `TOGETHER` (0.2 m/s). Here these two thresholds are soft. A contact counts fully up
to half of a threshold and not at all from one and a half of it, 2.5 and 7.5 cm, 0.1 and 0.3 m/s.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.metrics.physical import (
    CONTACT_HEIGHT,
    TOGETHER,
    lowest_points,
    soles_of_mesh,
)
from motiondistill.structures import Mesh


@dataclass(frozen=True)
class Contact:
    """Each foot's lowest point from every frame to the next; the left foot comes first."""

    heights: Float[Tensor, "*batch steps 2"]
    """Over the floor, the higher one of both ends, metres."""
    velocities: Float[Tensor, "*batch steps 2 2"]
    """Along x and z, m/s."""
    weights: Float[Tensor, "*batch steps 2"]
    """How surely the foot is in contact, from 0 to 1, detached: no motion gains by lifting a foot
    off the floor or by hurrying it."""


def contact(mesh: Mesh, fps: float) -> Contact:
    """How the feet of a posed body meet the floor; needs two frames or more."""
    heights, velocities = lowest_points(soles_of_mesh(mesh), fps)
    return Contact(heights, velocities, contact_weights(heights, velocities))


@torch.no_grad()
def contact_weights(
    heights: Float[Tensor, "*batch steps 2"], velocities: Float[Tensor, "*batch steps 2 2"]
) -> Float[Tensor, "*batch steps 2"]:
    """How surely each foot is in contact, from 0 to 1, detached.

    `low (1 - low' (1 - slow))`, where `low` fades with the foot's height, `low'` with the other
    one's, and `slow` with how much faster the foot is than the other one.
    """
    low = fade(heights, CONTACT_HEIGHT)
    speeds = velocities.norm(dim=-1)
    slow = fade(speeds - speeds.flip(-1), TOGETHER)
    return low * (1 - low.flip(-1) * (1 - slow))


def fade(values: Float[Tensor, "*shape"], threshold: float) -> Float[Tensor, "*shape"]:
    """1 up to half of the threshold, 0 from one and a half, and a smooth step between."""
    share = (1.5 - values / threshold).clamp(0, 1)
    return share.square() * (3 - 2 * share)


def foot_sliding(feet: Contact) -> Float[Tensor, ""]:
    """Mean over steps and feet of the squared horizontal speed of feet in contact, (m/s)^2.

    A body that glides on both feet costs the square of its speed; a foot that rolls from heel to
    toe costs nothing.
    """
    return (feet.weights * feet.velocities.square().sum(-1)).mean()


def foot_floating(feet: Contact) -> Float[Tensor, ""]:
    """Mean over steps and feet of the squared height of feet in contact over the floor, m^2.

    It closes the gap under a foot that almost stands. A foot higher than 7.5 cm is no contact, and
    may stay where it is.
    """
    return (feet.weights * feet.heights.clamp(min=0).square()).mean()


def ground_penetration(mesh: Mesh) -> Float[Tensor, ""]:
    """Mean over frames of the squared depth of the lowest vertex under the ground y = 0, m^2."""
    lowest = mesh.vertices[..., 1].amin(-1)
    return lowest.clamp(max=0).square().mean()
