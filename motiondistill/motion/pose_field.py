"""PoseField: a human motion as a small network of time."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill import rotations
from motiondistill.motion.encodings import fourier
from motiondistill.motion.limits import anatomical_limits
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, Motion

# How far the pelvis may move from its rest position: sideways, up or down, and forwards, metres.
# The camera travels with the subject, and a fit that leaves the picture never comes back.
_REACH = (0.3, 0.6, 0.3)


class PoseField(nn.Module):
    """Motion as a function of normalised time.

    Positional encoding, two hidden layers, bounded pose and root. The last layer starts at zero, so
    a new field is the neutral stance, motionless, facing +Z, with the arms lifted sideways by
    `arm_lift` radians.
    """

    def __init__(
        self,
        *,
        num_frequencies: int = 4,
        width: int = 128,
        arm_lift: float = 0.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.num_frequencies = num_frequencies
        self.limits = anatomical_limits()
        outputs = (NUM_JOINTS - 1) * 3 + 6 + 3
        self.layers = nn.Sequential(
            nn.Linear(2 * num_frequencies + 1, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, outputs),
        )
        for index in (0, 2):
            weight = self.layers.get_parameter(f"{index}.weight")
            nn.init.kaiming_uniform_(weight, a=5**0.5, generator=generator)
            nn.init.uniform_(
                self.layers.get_parameter(f"{index}.bias"), -0.5, 0.5, generator=generator
            )
        nn.init.zeros_(self.layers.get_parameter("4.weight"))
        start = torch.zeros(NUM_JOINTS - 1, 3)
        start[JOINT_INDEX["left_shoulder"] - 1, 2] = arm_lift
        start[JOINT_INDEX["right_shoulder"] - 1, 2] = -arm_lift
        with torch.no_grad():
            self.layers.get_parameter("4.bias").copy_(torch.cat([start.flatten(), torch.zeros(9)]))

    def forward(self, num_frames: int, fps: float) -> Motion:
        """The motion at `num_frames` equally spaced times, the first and last included."""
        device = self.layers.get_parameter("0.weight").device
        time = torch.linspace(0, 1, num_frames, device=device)
        output: Float[Tensor, "frames outputs"] = self.layers(fourier(time, self.num_frequencies))
        pose, root, shift = torch.split(output, [(NUM_JOINTS - 1) * 3, 6, 3], -1)
        upright = torch.tensor([1.0, 0, 0, 0, 1.0, 0], device=device)
        pelvis = rotations.from_6d(upright + root)
        joints = self.limits(pose.reshape(num_frames, NUM_JOINTS - 1, 3))
        reach = torch.tensor(_REACH, device=device)
        translation = reach * torch.tanh(shift / reach)
        return Motion(torch.cat([pelvis[:, None], joints], 1), translation, fps)
