"""Parametric motions on a skeleton that the recogniser was not trained on, and their images."""

from functools import cache

import torch
from standin_skeleton import rest_joints

from motiondistill.data.parametric import parametric_motion
from motiondistill.kinematics import forward_kinematics
from motiondistill.metrics.recogniser import FRAMES, RATE
from motiondistill.structures import MIRROR

# Of float32 features through statistics and networks; probabilities.
ROUNDING = 2e-4


@cache
def performed(
    action: str, side: str, seed: int, fps: float = RATE, frames: int = FRAMES
) -> torch.Tensor:
    """Joints of a parametric motion on a skeleton that was not trained on."""
    generator = torch.Generator().manual_seed(seed)
    motion = parametric_motion(action, side, generator, rest_joints(), fps, frames)
    _, joints = forward_kinematics(motion.rotations, rest_joints())
    return joints + motion.translation[:, None]


def reflected(joints: torch.Tensor) -> torch.Tensor:
    return joints[..., list(MIRROR), :] * torch.tensor([-1.0, 1.0, 1.0])


def assert_alike(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=ROUNDING, rtol=0)
