"""Bodies as skeleton maps: 18 key points and their limbs, as pose-guided video models know them.

The key points, colours and proportions are OpenPose's (Cao et al. 2019, COCO model) as ControlNet
1.1 and DWPose draw them: limbs are ellipses one over the other, dimmed to 0.6, under bright discs.
Edges are blended by how much of the pixel is covered, so that the map follows motion smoothly and
has gradients; the annotators round to whole pixels.
"""

import functools
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motiondistill.cameras import project
from motiondistill.structures import FACE_PART, JOINT_INDEX, PARENTS, Camera, Mesh, Motion

_SIDES: Final = ("right", "left")
KEY_POINTS: Final = (
    "nose",
    "neck",
    *(f"{side}_{joint}" for side in _SIDES for joint in ("shoulder", "elbow", "wrist")),
    *(f"{side}_{joint}" for side in _SIDES for joint in ("hip", "knee", "ankle")),
    *(f"{side}_{organ}" for organ in ("eye", "ear") for side in _SIDES),
)  # OpenPose's order
_LIMB_NAMES = (
    ("neck", "right_shoulder"),
    ("neck", "left_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("neck", "right_hip"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("neck", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("neck", "nose"),
    ("nose", "right_eye"),
    ("right_eye", "right_ear"),
    ("nose", "left_eye"),
    ("left_eye", "left_ear"),
)  # in the order in which they are drawn
LIMBS: Final = tuple((KEY_POINTS.index(a), KEY_POINTS.index(b)) for a, b in _LIMB_NAMES)
# sRGB, 0 to 255: once round the hues. Key point i and limb i have the same colour.
COLOURS: Final = (
    (255, 0, 0),
    (255, 85, 0),
    (255, 170, 0),
    (255, 255, 0),
    (170, 255, 0),
    (85, 255, 0),
    (0, 255, 0),
    (0, 255, 85),
    (0, 255, 170),
    (0, 255, 255),
    (0, 170, 255),
    (0, 85, 255),
    (0, 0, 255),
    (85, 0, 255),
    (170, 0, 255),
    (255, 0, 255),
    (255, 0, 170),
    (255, 0, 85),
)
LIMB_BRIGHTNESS: Final = 0.6
# The annotators draw 4 pixels to either side of the middle one, where the shorter side has 512.
_STICK_SHARE = 4.5 / 512

# Where face points lie in the box round the head, and which way they look, in the head's axes: x in
# half widths to the left, y from the chin to the crown, z from the back to the tip of the nose.
_FACE: Final = {
    "nose": ((0.0, 0.37, 1.0), (0.0, 0.0, 1.0)),
    "right_eye": ((-0.35, 0.53, 0.86), (-0.4, 0.0, 0.92)),
    "left_eye": ((0.35, 0.53, 0.86), (0.4, 0.0, 0.92)),
    "right_ear": ((-0.95, 0.50, 0.40), (-1.0, 0.0, 0.0)),
    "left_ear": ((0.95, 0.50, 0.40), (1.0, 0.0, 0.0)),
}
# A face point is drawn while the angle between its outward direction and the camera has at least
# this cosine: in profile the nose and the near eye and ear, from behind both ears.
_TURNED_AWAY = -0.2


def key_points(mesh: Mesh, motion: Motion) -> Float[Tensor, "*batch frames 18 3"]:
    """The points of `KEY_POINTS` in the world, metres; differentiable.

    The neck is the middle of the shoulders, as OpenPose's training data has it. The face turns with
    the head joint, and its points are placed by the box round the head.
    """
    joint = {name: mesh.joints[..., index, :] for name, index in JOINT_INDEX.items()}
    joint["neck"] = (joint["left_shoulder"] + joint["right_shoulder"]) / 2
    world_from_head = _world_from_head(motion)
    head = (mesh.parts == JOINT_INDEX["head"]) | (mesh.parts == FACE_PART)
    if not bool(head.any()):
        raise ValueError(
            "`mesh` must have vertices of the head, got none whose part is `head` or `face`; label "
            "the body's vertices in `parts`."
        )
    seen = (mesh.vertices[..., head, :] - joint["head"][..., None, :]) @ world_from_head
    low, high = seen.amin(-2), seen.amax(-2)
    middle = torch.cat([(low + high)[..., :1] / 2, low[..., 1:]], -1)
    extent = torch.cat([(high - low)[..., :1] / 2, (high - low)[..., 1:]], -1)
    for name, (place, _) in _FACE.items():
        point = middle + extent * torch.tensor(place).to(extent)
        joint[name] = joint["head"] + (world_from_head @ point[..., None]).squeeze(-1)
    return torch.stack([joint[name] for name in KEY_POINTS], -2)


def skeleton_map(
    mesh: Mesh, motion: Motion, camera: Camera, *, stick: float | None = None
) -> Float[Tensor, "*views 3 height width"]:
    """Videos [*B F 3 H W] of the skeleton on black; clips and cameras broadcast as in `Scene`.

    Points outside of the picture are not drawn, nor are the limbs that end there, and face points
    that look away from the camera: no detector would find them. What the body itself hides is.

    Args:
        mesh: The posed body.
        motion: What it was posed with: the head's orientation is taken from it.
        camera: Who looks.
        stick: Half the width of limbs and the radius of points, pixels. None scales the annotators'
            4.5 pixels of 512 by the shorter side.
    """
    height, width = camera.size
    points = key_points(mesh, motion)
    pixels, depth = project(points, camera)
    inside = (pixels >= 0) & (pixels <= torch.tensor([width, height]).to(pixels))
    visible = inside.all(-1) & (depth > camera.near) & _looks_at(points, motion, camera)
    radius = _STICK_SHARE * min(height, width) if stick is None else stick
    images = draw_skeletons(
        pixels.flatten(0, -3), visible.flatten(0, -2), camera.size, stick=radius
    )
    return images.reshape(*depth.shape[:-1], *images.shape[1:])


def draw_skeletons(
    pixels: Float[Tensor, "images 18 2"],
    visible: Bool[Tensor, "images 18"],
    size: tuple[int, int],
    *,
    stick: float,
) -> Float[Tensor, "images 3 height width"]:
    """Images in [0, 1] of skeletons with these key points (pixels); differentiable in them."""
    colours = torch.tensor(COLOURS).to(pixels) / 255
    image = pixels.new_zeros(len(pixels), 3, *size)
    for colour, (start, end) in zip(colours, LIMBS, strict=False):
        cover = _ellipse(pixels[:, start], pixels[:, end], stick, size)
        image = _paint(image, cover, visible[:, start] & visible[:, end], colour)
    image = LIMB_BRIGHTNESS * image
    for point, colour in enumerate(colours):
        offset = _grid(size).to(pixels) - pixels[:, point, None, None]
        # A tiny number keeps the gradient finite at the very centre.
        distance = (offset.square().sum(-1) + 1e-12).sqrt() - stick
        image = _paint(image, (0.5 - distance).clamp(0, 1), visible[:, point], colour)
    return image


def _paint(
    image: Float[Tensor, "images 3 height width"],
    cover: Float[Tensor, "images height width"],
    drawn: Bool[Tensor, " images"],
    colour: Float[Tensor, "3"],
) -> Float[Tensor, "images 3 height width"]:
    share = (cover * drawn[:, None, None])[:, None]
    return image + share * (colour[:, None, None] - image)


def _ellipse(
    start: Float[Tensor, "images 2"],
    end: Float[Tensor, "images 2"],
    stick: float,
    size: tuple[int, int],
) -> Float[Tensor, "images height width"]:
    """How much of each pixel an ellipse from `start` to `end` covers, half as wide as `stick`.

    By the distance from its outline to first order, `k0 (k0 - 1) / k1`, with k0 the length of
    (x / a, y / b) and k1 that of (x / a^2, y / b^2).
    """
    way = end - start
    squared = way.square().sum(-1, keepdim=True)
    point = squared < 1e-6  # without a direction; any does
    length = torch.where(point, torch.ones_like(squared), squared).sqrt()
    along = torch.where(point, torch.tensor([1.0, 0.0]).to(way), way / length)
    offset = _grid(size).to(start) - ((start + end) / 2)[:, None, None]
    x = (offset * along[:, None, None]).sum(-1)
    y = offset[..., 1] * along[:, None, None, 0] - offset[..., 0] * along[:, None, None, 1]
    a, b = (length / 2).clamp(min=stick)[..., None], stick
    k0 = ((x / a).square() + (y / b).square() + 1e-12).sqrt()
    k1 = ((x / a**2).square() + (y / b**2).square() + 1e-12).sqrt()
    return (0.5 - k0 * (k0 - 1) / k1).clamp(0, 1)


def _looks_at(
    points: Float[Tensor, "*batch frames 18 3"], motion: Motion, camera: Camera
) -> Bool[Tensor, "*views frames 18"]:
    """Whether each point looks towards the camera; those that are not of the face always do."""
    pose = camera.camera_from_world.detach()
    eye = -(pose[..., :3, :3].mT @ pose[..., :3, 3:]).squeeze(-1)
    towards = torch.nn.functional.normalize(eye[..., None, :] - points.detach(), dim=-1)
    outward = torch.zeros(len(KEY_POINTS), 3).to(points)
    for name, (_, direction) in _FACE.items():
        outward[KEY_POINTS.index(name)] = torch.tensor(direction)
    turned = outward @ _world_from_head(motion).detach().mT
    return (towards * turned).sum(-1) > _TURNED_AWAY


def _world_from_head(motion: Motion) -> Float[Tensor, "*batch frames 3 3"]:
    """The head's orientation in the world: the product of the rotations from the pelvis on."""
    chain = [JOINT_INDEX["head"]]
    while PARENTS[chain[0]] >= 0:
        chain.insert(0, PARENTS[chain[0]])
    return functools.reduce(torch.matmul, [motion.rotations[..., j, :, :] for j in chain])


def _grid(size: tuple[int, int]) -> Float[Tensor, "height width 2"]:
    """The pixels' centres."""
    rows, columns = (torch.arange(side) + 0.5 for side in size)
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
