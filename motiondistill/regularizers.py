"""What a motion costs before any prior looks at it, in SI units."""

from jaxtyping import Float
from torch import Tensor

from motiondistill.structures import Mesh, Motion


def angular_speed(motion: Motion) -> Float[Tensor, ""]:
    """Mean squared speed of the joints' rotations, (rad/s)^2.

    From the chordal distance `|R' - R|_F^2 = 8 sin^2(angle / 2)`, which is smooth everywhere and
    equals `2 angle^2` for small angles.
    """
    change = motion.rotations.diff(dim=-4).square().sum((-1, -2)) / 2
    return change.mean() * motion.fps**2


def joint_acceleration(mesh: Mesh, fps: float) -> Float[Tensor, ""]:
    """Mean squared acceleration of the joints, (m/s^2)^2, by second differences."""
    return mesh.joints.diff(n=2, dim=-3).square().sum(-1).mean() * fps**4


def ground_penetration(mesh: Mesh) -> Float[Tensor, ""]:
    """Mean over frames of the squared depth of the lowest vertex under the ground y = 0, m^2."""
    lowest = mesh.vertices[..., 1].amin(-1)
    return lowest.clamp(max=0).square().mean()


def tilt(motion: Motion) -> Float[Tensor, ""]:
    """Mean of `1 - cos` of the angle between the pelvis' up axis and the vertical."""
    return (1 - motion.rotations[..., 0, 1, 1]).mean()
