"""Physical plausibility of a motion in SI units, from positions of joints and soles alone.

The floor is y = 0. Definitions follow the field's, with per-frame units and fixed frame rates taken
out: sliding and contact are GMD's (Karunratanakul et al., ICCV 2023: 5 cm, 0.5 m/s) and Kimodo's
(5 cm, 0.2 m/s), penetration, floating and jitter MBench's. Departures:

- A foot is tracked by the point of its sole that stays lowest, not by the toe joint, so that a foot
  that rolls from heel to toe does not slide.
- Of two low feet the slower one is in contact, and the other one if it moves with it. So a toe that
  swings low is no contact, and a body that glides on both feet is, however fast.
- Penetration and floating are means over all frames, not over the bad ones.
- Jerk is the third difference in m/s^3 where MBench has the second one per frame.

Differences see less of fast movement at few frames a second: a sine of f Hz keeps
sinc(f / fps)^n of its n-th derivative. Compare jerk at one frame rate.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motiondistill.structures import JOINT_INDEX, Mesh

Joints = Float[Tensor, "*batch frames joints 3"]
Soles = tuple[Float[Tensor, "*batch frames left 3"], Float[Tensor, "*batch frames right 3"]]
"""Points under the left and the right foot, at height 0 where they touch the floor, metres."""
Scalar = Float[Tensor, "*batch"]

CONTACT_HEIGHT: Final = 0.05
"""Metres below which a sole may be in contact (GMD, Kimodo)."""
SKATING_SPEED: Final = 0.5
"""Metres a second from which a foot in contact skates (GMD).

Real walks on our skeleton slide at 0.2 to 0.3 m/s by these definitions: proportions differ."""
TOGETHER: Final = 0.2
"""Two feet that move apart by more than this are not both in contact, m/s."""
_ANKLE_AND_BALL: Final = tuple(
    tuple(JOINT_INDEX[f"{side}_{name}"] for name in ("ankle", "foot")) for side in ("left", "right")
)
_MIN_FRAMES: Final = 4


@dataclass(frozen=True)
class FootSliding:
    """How feet in contact move over the floor. Not a number where nothing ever touches it."""

    speed: Scalar
    """Mean horizontal speed of feet in contact, m/s."""
    skating: Scalar
    """Share of the frame steps with a contact in which such a foot is faster than 0.5 m/s."""
    contact: Scalar
    """Share of frame steps with a foot in contact; 0 in flight, or over the floor."""
    distance: Scalar
    """Way of the feet in contact along the floor, summed over steps and feet, metres."""


@dataclass(frozen=True)
class PhysicalMetrics:
    """All of this module, one number for each motion of the batch."""

    sliding: FootSliding
    """On a floor that stands still."""
    treadmill_sliding: FootSliding
    """On a floor that moves evenly under a motion that is held in place: see `floor_velocity`."""
    penetration_mean: Scalar
    """Depth of the lowest point under the floor, mean over frames, metres."""
    penetration_max: Scalar
    floating_mean: Scalar
    """Height of the lowest point over the floor, mean over frames, metres. Jumps float, too."""
    floating_max: Scalar
    jerk: Scalar
    """Mean length of the joints' third derivative, m/s^3."""
    acceleration: Scalar
    """Mean length of the joints' second derivative, m/s^2."""
    root_speed: Scalar
    """Mean speed of the pelvis along the floor, m/s."""
    joint_speed: Scalar
    """Mean over joints and frames of the speed in the world, m/s: guards against statues."""
    relative_joint_speed: Scalar
    """The same relative to the pelvis, whose own speed, zero, does not count."""


def physical_metrics(
    joints: Joints, fps: float, soles: Soles, lowest: Float[Tensor, "*batch frames"]
) -> PhysicalMetrics:
    """All metrics of joint positions, soles and heights of the lowest point, in metres.

    Needs at least 4 frames. Joints that are NaN do not count. Every number stays the same when the
    motion is shifted along the floor or turned about +Y.
    """
    if not 0 < fps < math.inf:
        raise ValueError(f"`fps` must be positive, got {fps}; give frames a second.")
    if joints.shape[-3] < _MIN_FRAMES:
        raise ValueError(
            f"`joints` must hold at least {_MIN_FRAMES} frames for the jerk, got "
            f"{joints.shape[-3]}; give a longer motion or a higher frame rate."
        )
    depth, height = (-lowest).clamp(min=0), lowest.clamp(min=0)
    return PhysicalMetrics(
        sliding=foot_sliding(soles, fps),
        treadmill_sliding=foot_sliding(soles, fps, floor_velocity(soles, fps)),
        penetration_mean=depth.mean(-1),
        penetration_max=depth.amax(-1),
        floating_mean=height.mean(-1),
        floating_max=height.amax(-1),
        jerk=jerk(joints, fps),
        acceleration=acceleration(joints, fps),
        root_speed=joint_speed(joints[..., :1, [0, 2]], fps),
        joint_speed=joint_speed(joints, fps),
        relative_joint_speed=joint_speed(joints[..., 1:, :] - joints[..., :1, :], fps),
    )


def metrics_of_joints(
    joints: Joints, fps: float, rest_joints: Float[Tensor, "joints 3"]
) -> PhysicalMetrics:
    """All metrics of a skeleton whose T-pose `rest_joints` stands on the floor."""
    soles = soles_of_joints(joints, rest_joints)
    lowest = torch.cat([*soles, joints], -2)[..., 1]
    return physical_metrics(joints, fps, soles, _known(lowest, torch.inf).amin(-1))


def metrics_of_mesh(mesh: Mesh, fps: float) -> PhysicalMetrics:
    """All metrics of a posed body; soles and lowest points are its vertices."""
    return physical_metrics(mesh.joints, fps, soles_of_mesh(mesh), mesh.vertices[..., 1].amin(-1))


def soles_of_joints(joints: Joints, rest_joints: Float[Tensor, "joints 3"]) -> Soles:
    """The points under ankle and ball of each foot: the joints, lower by their height at rest."""
    left, right = (
        joints[..., list(side), :] - rest_joints[list(side)] * torch.tensor([0.0, 1.0, 0.0])
        for side in _ANKLE_AND_BALL
    )
    return left, right


def soles_of_mesh(mesh: Mesh) -> Soles:
    """All vertices of each foot, whose lowest ones are those of the sole."""
    left, right = (
        mesh.vertices[..., torch.isin(mesh.parts, torch.tensor(side, device=mesh.parts.device)), :]
        for side in _ANKLE_AND_BALL
    )
    return left, right


def foot_sliding(
    soles: Soles, fps: float, floor: Float[Tensor, "*batch 2"] | None = None
) -> FootSliding:
    """How feet in contact slide on a floor with this velocity along x and z, m/s.

    From one frame to the next a foot is in contact where its lowest point stays below 5 cm, unless
    the other foot is low, too, and slower on this floor, and they move apart by over 0.2 m/s.
    """
    heights, velocities = lowest_points(soles, fps)
    if floor is not None:
        velocities = velocities - floor[..., None, None, :]
    speeds = velocities.norm(dim=-1)  # [*batch steps feet]
    low = heights < CONTACT_HEIGHT
    slower = speeds <= _where(low, speeds, torch.inf).amin(-1, keepdim=True)
    together = (velocities - velocities.flip(-2)).norm(dim=-1) <= TOGETHER
    touching = low & (slower | together)
    count = touching.sum((-1, -2))
    steps = touching.any(-1)
    skating = (touching & (speeds > SKATING_SPEED)).any(-1)
    return FootSliding(
        speed=_where(touching, speeds, 0.0).sum((-1, -2)) / count,
        skating=skating.sum(-1) / steps.sum(-1),
        contact=steps.float().mean(-1),
        distance=_where(count > 0, _where(touching, speeds, 0.0).sum((-1, -2)) / fps, torch.nan),
    )


def floor_velocity(soles: Soles, fps: float) -> Float[Tensor, "*batch 2"]:
    """The velocity along x and z of an even treadmill under a motion held in place, m/s.

    The median over frame steps of the velocity of the lower foot, if that is in reach of the floor;
    zero without contact. A motion that travels without sliding has a floor that stands still.
    """
    heights, velocities = lowest_points(soles, fps)
    lower = heights.argmin(-1, keepdim=True)
    chosen = velocities.gather(-2, lower[..., None].expand(*lower.shape, 2))[..., 0, :]
    standing = (heights < CONTACT_HEIGHT).any(-1)[..., None].expand_as(chosen)
    median = _where(standing, chosen, torch.nan).nanmedian(-2).values
    return _known(median, 0.0)


def jerk(joints: Joints, fps: float) -> Scalar:
    """Mean over joints and frames of the length of the third difference, m/s^3."""
    lengths: Tensor = (joints.diff(n=3, dim=-3) * fps**3).norm(dim=-1)
    return lengths.nanmean((-1, -2))


def acceleration(joints: Joints, fps: float) -> Scalar:
    """Mean over joints and frames of the length of the second difference, m/s^2."""
    lengths: Tensor = (joints.diff(n=2, dim=-3) * fps**2).norm(dim=-1)
    return lengths.nanmean((-1, -2))


def dynamic_degree(
    joints: Joints, world_from_pelvis: Float[Tensor, "*batch frames 3 3"], fps: float
) -> Scalar:
    """Mean speed of the joints other than the pelvis in the pelvis' own axes, m/s.

    Zero for whatever moves stiffly, however far and fast it travels or turns. Joints that are NaN
    do not count.
    """
    offsets = joints[..., 1:, :] - joints[..., :1, :]
    # A row vector times the matrix is its transpose, the inverse, times the column vector.
    return joint_speed(offsets @ world_from_pelvis, fps)


def joint_speed(joints: Float[Tensor, "*batch frames joints axes"], fps: float) -> Scalar:
    """Mean over joints and frames of the speed along all axes, m/s."""
    speeds: Tensor = (joints.diff(dim=-3) * fps).norm(dim=-1)
    return speeds.nanmean((-1, -2))


def lowest_points(
    soles: Soles, fps: float
) -> tuple[Float[Tensor, "*batch steps 2"], Float[Tensor, "*batch steps 2 2"]]:
    """For each frame step and foot: its lowest point's height, and that point's x, z velocity.

    The height is the higher one of both ends of the step. Differentiable, but for which point it
    is.
    """
    lowest, velocities = [], []
    for sole in soles:
        heights = _step_heights(sole)
        point = heights.argmin(-1, keepdim=True)
        lowest.append(heights.gather(-1, point)[..., 0])
        moves = _known(sole.diff(dim=-3)[..., [0, 2]] * fps, 0.0)
        index = point[..., None].expand(*point.shape, 2)
        velocities.append(moves.gather(-2, index)[..., 0, :])
    return torch.stack(lowest, -1), torch.stack(velocities, -2)


def _step_heights(
    sole: Float[Tensor, "*batch frames points 3"],
) -> Float[Tensor, "*batch steps points"]:
    """The higher one of each point's heights before and after a frame step; unknown ones are inf.

    A point that is low at both ends was there, and did not just pass by.
    """
    heights = sole[..., 1]
    return _known(torch.maximum(heights[..., :-1, :], heights[..., 1:, :]), torch.inf)


def _known(values: Tensor, otherwise: float) -> Tensor:
    """The values, and something else where they are not numbers."""
    return _where(~values.isnan(), values, otherwise)


def _where(condition: Bool[Tensor, "*shape"], values: Tensor, otherwise: float) -> Tensor:
    return torch.where(condition, values, torch.full_like(values, otherwise))
