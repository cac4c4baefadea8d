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
Textures: (u, v) in [0, 1]^2, the origin at the bottom left of the image.
"""

import dataclasses
from collections.abc import Callable, Sequence
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

# SMPL-X's order; the left hand comes first.
HAND_NAMES = tuple(
    f"{side}_{finger}{joint}"
    for side in ("left", "right")
    for finger in ("index", "middle", "pinky", "ring", "thumb")
    for joint in (1, 2, 3)  # from the palm to the tip
)
NUM_HAND_JOINTS = len(HAND_NAMES)
JOINT_GROUPS = {
    "root": JOINT_NAMES[:1],
    "body": JOINT_NAMES[1:],
    "hands": HAND_NAMES,
    "jaw": ("jaw",),
}
"""All that a motion can move; hands and jaw are optional."""

# Vertices are labelled by the joint that moves them most, and by one part more: the front of the
# head.
FACE_PART = NUM_JOINTS
PART_NAMES = (*JOINT_NAMES, "face")


@dataclass(frozen=True)
class Motion:
    """A human motion: joint rotations relative to the parent, and the pelvis' displacement.

    The displacement `translation` is from the pelvis' rest position, in metres. Joint 0 (pelvis)
    holds the root orientation `world_from_pelvis`. Hands and a jaw that are None are at rest, as
    identities are: on the body's own hands, be they flat or a little bent.
    """

    rotations: Float[Tensor, "*batch frames joints 3 3"]
    translation: Float[Tensor, "*batch frames 3"]
    fps: float
    hands: Float[Tensor, "*batch frames 30 3 3"] | None = None
    """Finger joints in the order of `HAND_NAMES`, relative to the parent."""
    jaw: Float[Tensor, "*batch frames 3 3"] | None = None
    """Relative to the head; turning about +X opens the mouth."""

    @property
    def num_frames(self) -> int:
        """Number of frames F."""
        return self.translation.shape[-2]

    def map(self, function: Callable[[Tensor], Tensor]) -> "Motion":
        """The motion with the function's value of every tensor, for what treats all alike."""
        return dataclasses.replace(
            self,
            rotations=function(self.rotations),
            translation=function(self.translation),
            hands=None if self.hands is None else function(self.hands),
            jaw=None if self.jaw is None else function(self.jaw),
        )

    def frames(self, chosen: slice | Int[Tensor, " chosen"]) -> "Motion":
        """These frames of one motion without a batch."""
        return self.map(lambda tensor: tensor[chosen])

    def detach(self) -> "Motion":
        """The same motion without its gradient history."""
        return self.map(torch.Tensor.detach)

    @staticmethod
    def stack(motions: Sequence["Motion"]) -> "Motion":
        """Motions of equal length and frame rate as one batch; all or none have hands or a jaw."""

        def stacked(tensors: list[Tensor | None]) -> Tensor | None:
            given = [tensor for tensor in tensors if tensor is not None]
            if given and len(given) < len(tensors):
                raise ValueError(
                    f"`motions` must all have hands and a jaw or all lack them, got {len(given)} "
                    f"of {len(tensors)} with; give the others identities."
                )
            return torch.stack(given) if given else None

        return Motion(
            torch.stack([motion.rotations for motion in motions]),
            torch.stack([motion.translation for motion in motions]),
            motions[0].fps,
            stacked([motion.hands for motion in motions]),
            stacked([motion.jaw for motion in motions]),
        )


@dataclass(frozen=True)
class Mesh:
    """A posed body in the world: vertices and joints in metres."""

    vertices: Float[Tensor, "*batch frames vertices 3"]
    joints: Float[Tensor, "*batch frames joints 3"]
    faces: Int[Tensor, "triangles 3"]
    parts: Int[Tensor, " vertices"]
    """For every vertex, its index in `PART_NAMES`."""
    uv: Float[Tensor, "texcoords 2"] | None = None
    """Texture coordinates; None for a body that has none."""
    uv_faces: Int[Tensor, "triangles 3"] | None = None
    """For every triangle, its corners' texture coordinates; a vertex on a seam has several."""


@dataclass(frozen=True)
class Camera:
    """Pinhole cameras with square pixels and the principal point in the centre of the image.

    Poses and fields of view have an axis of frames, like clips. Its length is 1 for a camera that
    stands still, whatever the length of the clip, and F for one with a pose for every frame.
    """

    camera_from_world: Float[Tensor, "*batch #frames 4 4"]
    fov_y: float | Float[Tensor, "*#batch #frames"]
    """Vertical field of view, radians: one for all cameras, or a tensor that tells them apart."""
    size: tuple[int, int]
    """Image height and width, pixels."""
    near: float = 0.05
    far: float = 2000.0

    def clip_from_world(self) -> Float[Tensor, "*batch #frames 4 4"]:
        """Matrices from world to OpenGL clip space (see the module's conventions).

        Differentiable in the poses and in fields of view that are tensors.
        """
        height, width = self.size
        fov_y = torch.as_tensor(
            self.fov_y, dtype=self.camera_from_world.dtype, device=self.camera_from_world.device
        )
        focal = (1 / torch.tan(fov_y / 2)).double()  # so that the aspect is rounded only once
        zero, one, depth = torch.zeros_like(focal), torch.ones_like(focal), self.far - self.near
        rows = (
            (focal * height / width, zero, zero, zero),
            (zero, -focal, zero, zero),
            (
                zero,
                zero,
                one * ((self.far + self.near) / depth),
                one * (-2 * self.far * self.near / depth),
            ),
            (zero, zero, one, zero),
        )
        clip_from_camera = torch.stack([torch.stack(row, -1) for row in rows], -2)
        return clip_from_camera.to(self.camera_from_world) @ self.camera_from_world
