"""All regularisers of a motion at once, each with its weight."""

from dataclasses import dataclass, field
from typing import TypeVar

from jaxtyping import Float
from torch import Tensor

from motiondistill.motion.limits import anatomical_limits
from motiondistill.regularizers.balance import balance, tilt
from motiondistill.regularizers.capsules import Capsules, self_penetration
from motiondistill.regularizers.contact import (
    contact,
    foot_floating,
    foot_sliding,
    ground_penetration,
)
from motiondistill.regularizers.joint_limits import joint_limits
from motiondistill.regularizers.key_frames import KeyFrames, MotionKey, check_keys, key_frame_error
from motiondistill.regularizers.smoothness import (
    angular_speed,
    geodesic_acceleration,
    geodesic_velocity,
    joint_acceleration,
    rotation_6d,
)
from motiondistill.regularizers.statistics import UsualPoses, pose_deviation
from motiondistill.structures import Mesh, Motion

_Reference = TypeVar("_Reference")


@dataclass(frozen=True)
class RegularizerWeights:
    """Weights of the terms in `regularizers`, which are in SI units; 0 leaves a term out."""

    # Mean squared angular speed of the joints, (rad/s)^2.
    angular_speed: float = 1e-4
    # Mean squared acceleration of the joints, (m/s^2)^2.
    joint_acceleration: float = 1e-5
    # Squared depth of the lowest vertex under the ground, m^2.
    ground_penetration: float = 10.0
    # 1 - cos of the pelvis' lean.
    tilt: float = 0.05
    # Mean squared angular velocity of the joints along the arc, (rad/s)^2.
    geodesic_velocity: float = 0.0
    # Mean squared angular acceleration of the joints, (rad/s^2)^2.
    geodesic_acceleration: float = 0.0
    # Mean squared difference of the joints' 6D rotations from frame to frame, as the paper's.
    rotation_6d: float = 0.0
    # Mean squared excess of the joints over their anatomical ranges, rad^2.
    joint_limits: float = 0.0
    # Mean squared horizontal speed of feet in contact with the ground, (m/s)^2.
    foot_sliding: float = 0.0
    # Mean squared height of feet in contact over the ground, m^2.
    foot_floating: float = 0.0
    # Squared distance of a slow body's centre of mass from above its feet in contact, m^2.
    balance: float = 0.0
    # Squared depth by which limbs pass into each other or the trunk, m^2.
    self_penetration: float = 0.0
    # Squared Mahalanobis distance of the poses from usual ones, by dimension: no unit.
    pose_deviation: float = 0.0
    # Places of joints and poses at times, a list of {time: ..., joint: ..., position: ...} or
    # {time: ..., pose: ..., frame: ...}, each with its weight.
    key_frames: list[MotionKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_keys(self.key_frames)


@dataclass(frozen=True)
class References:
    """What some terms compare a motion with; they need it where their weight is not 0."""

    capsules: Capsules | None = None
    """For `self_penetration`: those of the body."""
    statistics: UsualPoses | None = None
    """For `pose_deviation`: those of the joints below the pelvis."""
    key_frames: KeyFrames | None = None


def penalties(
    motion: Motion, mesh: Mesh, weights: RegularizerWeights, references: References
) -> dict[str, Float[Tensor, ""]]:
    """The weighted terms by the names of their weights: the first four, and those that count.

    Raises ValueError for a weight whose reference is missing.
    """
    fps = motion.fps
    terms = {
        "angular_speed": weights.angular_speed * angular_speed(motion),
        "joint_acceleration": weights.joint_acceleration * joint_acceleration(mesh, fps),
        "ground_penetration": weights.ground_penetration * ground_penetration(mesh),
        "tilt": weights.tilt * tilt(motion),
    }
    if weights.geodesic_velocity:
        terms["geodesic_velocity"] = weights.geodesic_velocity * geodesic_velocity(motion)
    if weights.geodesic_acceleration:
        cost = geodesic_acceleration(motion)
        terms["geodesic_acceleration"] = weights.geodesic_acceleration * cost
    if weights.rotation_6d:
        terms["rotation_6d"] = weights.rotation_6d * rotation_6d(motion)
    if weights.joint_limits:
        cost = joint_limits(motion, anatomical_limits())
        terms["joint_limits"] = weights.joint_limits * cost
    return terms | _on_the_floor(mesh, fps, weights) | _compared(motion, mesh, weights, references)


def _on_the_floor(
    mesh: Mesh, fps: float, weights: RegularizerWeights
) -> dict[str, Float[Tensor, ""]]:
    """The terms that ask which feet are in contact."""
    if not (weights.foot_sliding or weights.foot_floating or weights.balance):
        return {}
    feet = contact(mesh, fps)
    terms = {}
    if weights.foot_sliding:
        terms["foot_sliding"] = weights.foot_sliding * foot_sliding(feet)
    if weights.foot_floating:
        terms["foot_floating"] = weights.foot_floating * foot_floating(feet)
    if weights.balance:
        terms["balance"] = weights.balance * balance(mesh, fps, feet)
    return terms


def _compared(
    motion: Motion, mesh: Mesh, weights: RegularizerWeights, references: References
) -> dict[str, Float[Tensor, ""]]:
    """The terms that compare a motion with something."""
    terms = {}
    if weights.self_penetration:
        capsules = _given(references.capsules, "self_penetration", "capsules")
        terms["self_penetration"] = weights.self_penetration * self_penetration(mesh, capsules)
    if weights.pose_deviation:
        statistics = _given(references.statistics, "pose_deviation", "statistics")
        cost = pose_deviation(motion.rotations[..., 1:, :, :], statistics)
        terms["pose_deviation"] = weights.pose_deviation * cost
    if weights.key_frames:
        targets = _given(references.key_frames, "key_frames", "key_frames")
        terms["key_frames"] = key_frame_error(motion, mesh, targets)
    return terms


def _given(reference: _Reference | None, weight: str, name: str) -> _Reference:
    if reference is None:
        raise ValueError(
            f"`references.{name}` must be given for a weight of `{weight}`, got None; give it or "
            "set the weight to 0."
        )
    return reference
