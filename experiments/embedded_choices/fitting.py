"""Known motions fitted through the renderer, as an optimisation's first stage fits them."""

import dataclasses
import math
from typing import Any

import torch
from embedded_training.clips import FPS, FRAMES, SIZE
from jaxtyping import Float
from torch import Tensor

from motiondistill import regularizers
from motiondistill.body.base import Body
from motiondistill.cameras import Orbit
from motiondistill.engine.fitting import fit_errors
from motiondistill.engine.stages import State
from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.stances import Stance
from motiondistill.randomness import seeded
from motiondistill.regularizers.weights import RegularizerWeights
from motiondistill.render.appearance import Appearance
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.structures import JOINT_INDEX, MIRROR, Motion

SPREAD = Stance(arm_lift=1.1)
STEP = 0.02  # metres, of finite differences
LIMBS = {
    "arms": ("elbow", "wrist"),
    "legs": ("knee", "ankle"),
}


def fit(
    body: Body,
    scene: Scene,
    targets: Float[Tensor, "clips frames 3 height width"],
    azimuth: float,
    rate: float,
    steps: int,
    seed: int,
) -> Float[Tensor, "clips frames joints 3"]:
    """Joints of motions fitted to videos of a known view, as an optimisation's first stage does.

    `rate` is Adam's at its highest.
    """
    fields = torch.nn.ModuleList(
        PoseField(stance=SPREAD, generator=seeded(seed, clip, "field"))
        for clip in range(len(targets))
    )
    state, weights = State("fit", fields, targets), RegularizerWeights()
    cameras = Orbit(size=(SIZE, SIZE))(torch.full((len(targets),), azimuth))
    for step in range(steps):
        progress = step / steps
        motion = Motion.stack([field(FRAMES, FPS) for field in fields])
        mesh = body(motion)
        loss = (
            fit_errors(scene(mesh, cameras), targets, progress).mean()
            + weights.angular_speed * regularizers.angular_speed(motion)
            + weights.joint_acceleration * regularizers.joint_acceleration(mesh, FPS)
            + weights.ground_penetration * regularizers.ground_penetration(mesh)
            + weights.tilt * regularizers.tilt(motion)
        )
        cosine = 0.1 + 0.9 * (1 + math.cos(math.pi * progress)) / 2
        state.update(loss, rate * cosine * min(1.0, 20 * progress + 0.05))
    with torch.no_grad():
        return body(Motion.stack([field(FRAMES, FPS) for field in fields])).joints


def neutral(count: int) -> Motion:
    """The motionless stance that fits start from, so many times."""
    field = PoseField(stance=SPREAD, generator=seeded(0, 0, "field"))
    return Motion.stack([field(FRAMES, FPS).detach()] * count)


def slope_error(body: Body, look: Appearance, targets: Motion) -> float:
    """How wrong the coarsest fit error's gradient is for moving the body, as a share of the slope.

    For the stance that fits start from, moved to its left and upwards, against differences over
    4 cm, which aliasing hardly touches: the root of the squares' sums.
    """
    scene, cameras = Scene(CpuRasterizer(), look), Orbit(size=(SIZE, SIZE))(torch.zeros(1))
    with torch.no_grad():
        videos = scene(body(targets), cameras)
        mesh = body(neutral(len(videos)))

    def error(clip: int, shift: Float[Tensor, "3"]) -> Float[Tensor, ""]:
        this = slice(clip, clip + 1)
        vertices, joints = mesh.vertices[this] + shift, mesh.joints[this] + shift
        moved = dataclasses.replace(mesh, vertices=vertices, joints=joints)
        return fit_errors(scene(moved, cameras), videos[this], 0.0).mean()

    off, whole = 0.0, 0.0
    for clip in range(len(videos)):
        shift = torch.zeros(3, requires_grad=True)
        (gradient,) = torch.autograd.grad(error(clip, shift), shift)
        for axis in (0, 1):
            step = torch.zeros(3)
            step[axis] = STEP
            with torch.no_grad():
                slope = float(error(clip, step) - error(clip, -step)) / (2 * STEP)
            off, whole = off + (float(gradient[axis]) - slope) ** 2, whole + slope**2
    return math.sqrt(off / whole)


def measure(
    fitted: Float[Tensor, "clips frames joints 3"], true: Float[Tensor, "clips frames joints 3"]
) -> dict[str, Any]:
    """Joint errors in cm, and the clips whose limbs would fit better with the sides exchanged."""
    figures: dict[str, Any] = {"joints": (100 * (fitted - true).norm(dim=-1).mean((1, 2))).tolist()}
    for limb, ends in LIMBS.items():
        chosen = [JOINT_INDEX[f"{side}_{end}"] for end in ends for side in ("left", "right")]
        other = [MIRROR[joint] for joint in chosen]
        error = (fitted[:, :, chosen] - true[:, :, chosen]).norm(dim=-1).mean((1, 2))
        swapped = (fitted[:, :, other] - true[:, :, chosen]).norm(dim=-1).mean((1, 2))
        figures[limb] = (100 * error).tolist()
        figures[f"{limb} mistaken"] = (swapped < error).tolist()
    return figures
