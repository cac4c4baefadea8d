"""The types and conventions that everything speaks.

Frames and units
    World: +Y up, the subject faces +Z, the subject's left is +X; right-handed; metres, seconds,
    radians.
    Camera: OpenCV (+X right, +Y down, +Z forward), `det(R) = +1`.
    Clip space: OpenGL and nvdiffrast (+X right, +Y up, depth z/w in [-1, 1], row 0 at the bottom of
    the image).
    Video: `[B, F, 3, H, W]`, sRGB in [0, 1], float32, row 0 at the top. Other ranges exist only
    inside priors.
    Rotations: matrices. A joint's rotation is relative to its parent, both in world-aligned rest
    frames: all identity is the T-pose.
Letters in shapes
    B batch (clips or views), F frames, J joints (22), V vertices, T triangles.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

JOINT_NAMES = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
)  # SMPL order
NUM_JOINTS = len(JOINT_NAMES)
JOINT_INDEX = {name: index for index, name in enumerate(JOINT_NAMES)}
PARENTS = (
    -1,
    0,
    0,
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    9,
    9,
    12,
    13,
    14,
    16,
    17,
    18,
    19,
)  # parents precede children
# The joint on the other side of the body; joints of the middle map to themselves.
MIRROR = tuple(
    JOINT_INDEX[name.replace("left", "*").replace("right", "left").replace("*", "right")]
    for name in JOINT_NAMES
)

# Vertices are labelled by the joint that moves them most, and by one part more: the front of the
# head.
FACE_PART = NUM_JOINTS
PART_NAMES = (*JOINT_NAMES, "face")


@dataclass(frozen=True)
class Motion:
    """A human motion: joint rotations relative to the parent, and the pelvis' displacement.

    The displacement `translation` is from the pelvis' rest position, in metres. Joint 0 (pelvis)
    holds the root orientation `world_from_pelvis`.
    """

    rotations: Float[Tensor, "*batch frames joints 3 3"]
    translation: Float[Tensor, "*batch frames 3"]
    fps: float

    @property
    def num_frames(self) -> int:
        """Number of frames F."""
        return self.translation.shape[-2]

    def detach(self) -> "Motion":
        """The same motion without its gradient history."""
        return dataclasses.replace(
            self, rotations=self.rotations.detach(), translation=self.translation.detach()
        )

    @staticmethod
    def stack(motions: Sequence["Motion"]) -> "Motion":
        """Motions of equal length and frame rate as one batch."""
        return Motion(
            torch.stack([motion.rotations for motion in motions]),
            torch.stack([motion.translation for motion in motions]),
            motions[0].fps,
        )


@dataclass(frozen=True)
class Mesh:
    """A posed body in the world: vertices and joints in metres."""

    vertices: Float[Tensor, "*batch frames vertices 3"]
    joints: Float[Tensor, "*batch frames joints 3"]
    faces: Int[Tensor, "triangles 3"]
    parts: Int[Tensor, " vertices"]
    """For every vertex, its index in `PART_NAMES`."""


@dataclass(frozen=True)
class Camera:
    """Pinhole cameras with the principal point in the centre of the image."""

    camera_from_world: Float[Tensor, "*batch 4 4"]
    fov_y: float
    """Vertical field of view, radians."""
    size: tuple[int, int]
    """Image height and width, pixels."""
    near: float = 0.05
    far: float = 300.0

    def clip_from_world(self) -> Float[Tensor, "*batch 4 4"]:
        """Matrices from world to OpenGL clip space (see the module's conventions)."""
        height, width = self.size
        focal = 1 / torch.tan(torch.tensor(self.fov_y / 2)).item()
        depth = self.far - self.near
        clip_from_camera = torch.tensor(
            [
                [focal * height / width, 0, 0, 0],
                [0, -focal, 0, 0],
                [0, 0, (self.far + self.near) / depth, -2 * self.far * self.near / depth],
                [0, 0, 1, 0],
            ]
        ).to(self.camera_from_world)
        return clip_from_camera @ self.camera_from_world
