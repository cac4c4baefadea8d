"""Speeds and accelerations of joints and of their rotations."""

from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
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


def geodesic_velocity(motion: Motion) -> Float[Tensor, ""]:
    """Mean squared angular velocity of the joints' rotations, (rad/s)^2.

    Along the arc, `log(R^T R') fps`, where `angular_speed` takes the chord: a half turn from one
    frame to the next costs its whole angle, and still has a gradient.
    """
    return _angular_velocities(motion).square().sum(-1).mean()


def geodesic_acceleration(motion: Motion) -> Float[Tensor, ""]:
    """Mean squared angular acceleration of the joints' rotations, (rad/s^2)^2.

    Differences of the angular velocities, each seen in the joint's own frame. There their rate of
    change is the angular acceleration, since `d/dt (R^T w) = R^T dw/dt` for the joint's own `w`.
    """
    change = _angular_velocities(motion).diff(dim=-3) * motion.fps
    return change.square().sum(-1).mean()


def rotation_6d(motion: Motion) -> Float[Tensor, ""]:
    """Mean over joints and steps of the squared difference of the rotations' 6D numbers: no unit.

    The paper's, but that it sums over both, and takes the numbers that its network puts out: here
    they are the first two rows of the matrix. A turn about the parent's x or y axis costs
    `4 sin^2(angle / 2)`, and about its z axis, which moves both rows, twice that.
    """
    rows = motion.rotations[..., :2, :]
    return rows.diff(dim=-4).square().sum((-1, -2)).mean()


def _angular_velocities(motion: Motion) -> Float[Tensor, "*batch steps joints 3"]:
    """In each joint's own frame, rad/s."""
    before, after = motion.rotations[..., :-1, :, :, :], motion.rotations[..., 1:, :, :, :]
    return rotations.to_axis_angle(before.transpose(-1, -2) @ after) * motion.fps
