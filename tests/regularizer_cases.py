"""Motions and meshes for tests of the regularisers, and slopes against finite differences."""

import dataclasses
from collections.abc import Callable

import torch
from standin_skeleton import rest_joints
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.skinning import SkinnedBody
from motiondistill.building.objects import at_rest
from motiondistill.motion.limits import anatomical_limits
from motiondistill.regularizers.capsules import capsules_of
from motiondistill.regularizers.key_frames import KeyFrames
from motiondistill.regularizers.statistics import UsualPoses
from motiondistill.regularizers.weights import References, RegularizerWeights
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, PART_NAMES, Mesh, Motion

FPS = 2.0
OLD = ("angular_speed", "joint_acceleration", "ground_penetration", "tilt")
NEW = (
    "geodesic_velocity",
    "geodesic_acceleration",
    "joint_limits",
    "foot_sliding",
    "foot_floating",
    "balance",
    "self_penetration",
    "pose_deviation",
)
# The motions below: three frames of 22 axis-angles and a translation.
FRAMES = 3
SIZE = FRAMES * (NUM_JOINTS + 1) * 3


def all_on() -> RegularizerWeights:
    """Every term counts, by its own unit."""
    return RegularizerWeights(**dict.fromkeys(OLD + NEW, 1.0))


def references(body: SkinnedBody) -> References:
    """Those of the body, arbitrary statistics, and two key frames."""
    generator = torch.Generator().manual_seed(5)
    below = 3 * (NUM_JOINTS - 1)
    root = torch.randn(below, below, dtype=torch.float64, generator=generator)
    statistics = UsualPoses(anatomical_limits().neutral.double(), root @ root.T / below)
    double = torch.float64
    key_frames = KeyFrames(
        place_times=torch.tensor([0.2], dtype=double),
        place_joints=torch.tensor([JOINT_INDEX["left_wrist"]]),
        places=torch.tensor([[0.4, 1.5, 0.3]], dtype=double),
        place_weights=torch.tensor([2.0], dtype=double),
        pose_times=torch.tensor([0.7], dtype=double),
        poses=rotations.identity(1, NUM_JOINTS).double(),
        pose_weights=torch.tensor([3.0], dtype=double),
    )
    return References(capsules_of(at_rest(body.to(dtype=torch.float32))), statistics, key_frames)


def motion_of(numbers: Tensor) -> Motion:
    """From `SIZE` numbers, offsets from the neutral stance."""
    offsets, translation = numbers.split([FRAMES * NUM_JOINTS * 3, FRAMES * 3])
    neutral = torch.eye(3).repeat(NUM_JOINTS, 1, 1).to(numbers)
    neutral[1:] = anatomical_limits().neutral.to(numbers)
    turned = rotations.from_axis_angle(offsets.reshape(FRAMES, NUM_JOINTS, 3)) @ neutral
    return Motion(turned, translation.reshape(FRAMES, 3), FPS)


def awkward() -> Tensor:
    """Numbers of a slow motion that every regulariser objects to.

    The body leans forward over its toes, with a bent-in arm, crossed legs and an elbow that bends
    the wrong way. So slow that contacts and slowness, which have no gradient, do not change.
    """
    generator = torch.Generator().manual_seed(1)
    offsets = 0.005 * torch.randn(FRAMES, NUM_JOINTS, 3, dtype=torch.float64, generator=generator)
    offsets[:, 0, 0] += 0.4
    offsets[:, 0, 2] += 0.06  # the left foot over the floor, the right one in it
    offsets[:, JOINT_INDEX["left_shoulder"], 1] -= 1.3
    offsets[:, JOINT_INDEX["left_elbow"], 1] -= 1.6
    offsets[:, JOINT_INDEX["right_elbow"], 1] -= 0.5
    offsets[:, JOINT_INDEX["left_hip"], 2] -= 0.35
    offsets[:, JOINT_INDEX["right_hip"], 2] += 0.35
    shift = torch.zeros(FRAMES, 3, dtype=torch.float64)
    shift[:, 0] = 0.02 * torch.arange(FRAMES)
    shift[:, 1] = -0.03
    return torch.cat([offsets.flatten(), shift.flatten()])


def slope_gap(function: Callable[[Tensor], Tensor], at: Tensor, tries: int = 3) -> float:
    """The largest relative gap between the gradient and central differences along directions."""
    point = at.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(point), point)
    assert gradient.isfinite().all()
    gaps = []
    for seed in range(tries):
        generator = torch.Generator().manual_seed(seed)
        step = torch.randn(at.shape, dtype=at.dtype, generator=generator)
        size = 1e-6
        with torch.no_grad():
            slope = (function(at + size * step) - function(at - size * step)) / (2 * size)
        along = (gradient * step).sum()
        assert along != 0
        gaps.append(float(((slope - along) / along).abs()))
    return max(gaps)


def turned(motion: Motion, angle: float, shift: tuple[float, float]) -> Motion:
    """The motion about +Y and along the floor, for bodies whose pelvis rests over the origin."""
    about = rotations.about_y(torch.tensor(angle).to(motion.translation))
    moved = motion.rotations.clone()
    moved[..., 0, :, :] = about @ moved[..., 0, :, :]
    offset = torch.tensor([shift[0], 0.0, shift[1]]).to(about)
    return dataclasses.replace(
        motion, rotations=moved, translation=motion.translation @ about.T + offset
    )


def skeleton_mesh(paths: Tensor) -> Mesh:
    """The T-pose displaced by [F 3], or by [F 22 3] each joint on its own.

    Its vertices are the joints, those of the feet lowered to the floor, and a face.
    """
    paths = paths if paths.ndim == 3 else paths[:, None]
    rest = rest_joints().to(paths)
    soles = rest.clone()
    for name in ("left_ankle", "left_foot", "right_ankle", "right_foot"):
        soles[JOINT_INDEX[name], 1] = 0
    vertices = torch.cat([soles + paths, (soles + paths)[:, JOINT_INDEX["head"], None]], 1)
    parts = torch.arange(len(PART_NAMES))
    return Mesh(vertices, rest + paths, torch.tensor([[0, 1, 2]]), parts)
