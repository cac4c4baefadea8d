"""How far poses are from those that are usual."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations


@dataclass(frozen=True)
class UsualPoses:
    """The usual poses: a Gaussian in the tangent at a mean rotation of each joint."""

    mean: Float[Tensor, "joints 3 3"]
    precision: Float[Tensor, "joints*3 joints*3"]
    """Inverse covariance of the offsets `log(R mean^T)`, radians, joint by joint; of full rank for
    joints that vary together, with 3x3 blocks on the diagonal for joints that do not."""


def pose_deviation(
    joint_rotations: Float[Tensor, "*batch frames joints 3 3"], statistics: UsualPoses
) -> Float[Tensor, ""]:
    """Mean squared Mahalanobis distance of the poses, by dimension: 1 for the statistics' own.

    `v^T P v / (3 joints)` with the offsets v = log(R mean^T) and the precision P.
    """
    mean = statistics.mean.to(joint_rotations)
    offsets = rotations.to_axis_angle(joint_rotations @ mean.transpose(-1, -2)).flatten(-2)
    weighted = offsets @ statistics.precision.to(offsets)
    return (offsets * weighted).mean()
