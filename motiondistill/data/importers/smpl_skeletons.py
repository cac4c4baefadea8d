"""The average skeletons of SMPL and SMPL-X, in their own rest poses.

Files of SMPL motions hold rotations only; bones come from a licensed body. The offsets below are
those of the average bodies as published in simulation models (`smpl_humanoid.xml` and
`smplx_humanoid.xml` of NVIDIA's ProtoMotions, Apache-2.0), four decimals.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.body.t_pose import rest_positions, t_pose_rotations
from motiondistill.structures import JOINT_INDEX, PARENTS

# How far the ball of the foot is above the sole, metres.
_BALL_HEIGHT: Final = 0.02


@dataclass(frozen=True)
class SmplSkeleton:
    """One of SMPL's skeletons."""

    name: str
    pelvis: tuple[float, float, float]
    """Where the body has its pelvis when its translation is zero."""
    offsets: tuple[tuple[float, float, float], ...]
    """From the parent, at rest; x to the left, y up, z ahead, metres; in our order."""
    height: float | None = None
    """Of the pelvis above the soles in our T-pose; by the balls of the feet if None."""

    def template(self) -> Float[Tensor, "joints 3"]:
        """Joints in the skeleton's own rest pose, the pelvis where the body has it."""
        joints = [torch.tensor(self.pelvis)]
        for offset, parent in zip(self.offsets[1:], PARENTS[1:], strict=True):
            joints.append(joints[parent] + torch.tensor(offset))
        return torch.stack(joints)

    def t_pose(self) -> Float[Tensor, "joints 3 3"]:
        """World rotations from that pose to our T-pose."""
        return t_pose_rotations(self.template())

    def rest_joints(self) -> Float[Tensor, "joints 3"]:
        """Joints in our T-pose, the pelvis above the origin and the soles on the floor."""
        joints = rest_positions(self.template(), self.t_pose(), PARENTS)
        balls = joints[[JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]], 1]
        floor = balls.mean() - _BALL_HEIGHT
        if self.height is not None:
            floor = joints[0, 1] - self.height
        return joints - torch.stack([joints[0, 0], floor, joints[0, 2]])


SMPL: Final = SmplSkeleton(
    "smpl",
    pelvis=(-0.0018, -0.2233, 0.0282),
    offsets=(
        (0.0, 0.0, 0.0),  # pelvis
        (0.0695, -0.0914, -0.0068),  # left_hip
        (-0.0677, -0.0905, -0.0043),  # right_hip
        (-0.0025, 0.109, -0.0267),  # spine1
        (0.0343, -0.3752, -0.0045),  # left_knee
        (-0.0383, -0.3826, -0.0089),  # right_knee
        (0.0055, 0.1352, 0.0011),  # spine2
        (-0.0136, -0.398, -0.0437),  # left_ankle
        (0.0158, -0.3984, -0.0423),  # right_ankle
        (0.0015, 0.0529, 0.0254),  # spine3
        (0.0264, -0.0558, 0.1193),  # left_foot
        (-0.0254, -0.0481, 0.1233),  # right_foot
        (-0.0028, 0.2139, -0.0429),  # neck
        (0.0788, 0.1217, -0.0341),  # left_collar
        (-0.0818, 0.1188, -0.0386),  # right_collar
        (0.0052, 0.065, 0.0513),  # head
        (0.091, 0.0305, -0.0089),  # left_shoulder
        (-0.096, 0.0326, -0.0091),  # right_shoulder
        (0.2596, -0.0128, -0.0275),  # left_elbow
        (-0.2537, -0.0133, -0.0214),  # right_elbow
        (0.2492, 0.009, -0.0012),  # left_wrist
        (-0.2553, 0.0078, -0.0056),  # right_wrist
    ),
)

SMPLX: Final = SmplSkeleton(
    "smplx",
    pelvis=(0.0031, -0.3514, 0.012),
    offsets=(
        (0.0, 0.0, 0.0),  # pelvis
        (0.0582, -0.0928, -0.026),  # left_hip
        (-0.0633, -0.1039, -0.0213),  # right_hip
        (-0.0028, 0.1099, -0.0276),  # spine1
        (0.0547, -0.3788, -0.0094),  # left_knee
        (-0.0442, -0.3624, -0.0168),  # right_knee
        (0.0094, 0.1319, -0.0059),  # spine2
        (-0.0435, -0.4031, -0.0319),  # left_ankle
        (0.0154, -0.4107, -0.0202),  # right_ankle
        (-0.0113, 0.0522, 0.0284),  # spine3
        (0.0473, -0.058, 0.1182),  # left_foot
        (-0.0388, -0.0583, 0.119),  # right_foot
        (-0.0122, 0.1652, -0.0316),  # neck
        (0.0464, 0.0849, -0.0072),  # left_collar
        (-0.0477, 0.0843, -0.0134),  # right_collar
        (0.0248, 0.1605, 0.0207),  # head
        (0.1192, 0.0577, -0.0155),  # left_shoulder
        (-0.1026, 0.0535, -0.0127),  # right_shoulder
        (0.2541, -0.0722, -0.0425),  # left_elbow
        (-0.2711, -0.0365, -0.0265),  # right_elbow
        (0.252, 0.0232, -0.0025),  # left_wrist
        (-0.2493, -0.0045, -0.0153),  # right_wrist
    ),
)
