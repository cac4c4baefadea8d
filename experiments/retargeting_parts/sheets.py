"""Contact sheets: what the source's joints do, and our body below."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from retargeting_parts.measure import Result
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.base import Body
from motiondistill.building.objects import make_scene
from motiondistill.cameras import Orbit, heading, project
from motiondistill.data.directions import leg_length, middle
from motiondistill.schema.look import RenderConfig
from motiondistill.structures import JOINT_NAMES, PARENTS, Motion

ORBIT = Orbit(size=(144, 112), fov_y=0.56)
VIEW = 0.6
COLUMNS = 8
COLOURS = {"left": (0.85, 0.2, 0.15), "right": (0.15, 0.35, 0.85), "": (0.2, 0.2, 0.2)}
STICK = 1.3


def sheet(results: Sequence[Result], body: Body) -> Float[Tensor, "3 height width"]:
    """Two strips a clip, eight frames each: the source's sticks, and our body below."""
    scene = make_scene(RenderConfig(supersampling=2), body)
    camera = ORBIT(torch.tensor([VIEW]))
    rows = []
    for result in results:
        kept = result.sound.nonzero().flatten()
        chosen = kept[torch.linspace(0, len(kept) - 1, COLUMNS).round().long()]
        motion, seen = result.motion.frames(chosen), result.clip.joints[chosen]
        scale = leg_length(body.rest_joints[None]) / leg_length(result.clip.joints)
        turn = rotations.about_y(-heading(motion.frames(torch.tensor([0]))))
        hips = middle(result.posed[chosen], "hip")
        place = hips * torch.tensor([1.0, 0.0, 1.0])
        sticks = scale * (seen - middle(seen, "hip")[:, None]) + (hips - place)[:, None]
        turns = torch.cat([turn @ motion.rotations[:, :1], motion.rotations[:, 1:]], 1)
        moved = Motion(turns, (motion.translation - place) @ turn.T, motion.fps)
        drawn = scene(body(moved), camera).flatten(0, -4)
        lines = torch.stack([_sticks(frame @ turn.T) for frame in sticks])
        rows += [torch.cat(list(lines), -1), torch.cat(list(drawn), -1)]
    return torch.cat(rows, -2)


def _sticks(joints: Float[Tensor, "joints 3"]) -> Float[Tensor, "3 height width"]:
    """A stick figure on white: left red, right blue, further bones first."""
    camera = ORBIT(torch.tensor(VIEW))
    points, depth = project(joints[None], camera)
    points, depth = points.reshape(-1, 2), depth.reshape(-1)
    height, width = ORBIT.size
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    pixels = torch.stack([x, y], -1)
    image = torch.ones(3, height, width)
    pairs = []
    for joint, parent in enumerate(PARENTS[1:], start=1):
        while joints[parent].isnan().any():
            parent = PARENTS[parent]
        if not joints[joint].isnan().any():
            pairs.append((float(depth[joint] + depth[parent]), joint, parent))
    for _, joint, parent in sorted(pairs, reverse=True):
        bone = points[joint] - points[parent]
        along = ((pixels - points[parent]) @ bone / bone.square().sum().clamp(min=1e-6)).clamp(0, 1)
        distance = (pixels - points[parent] - along[..., None] * bone).norm(dim=-1)
        ink = (STICK + 0.5 - distance).clamp(0, 1)
        side = JOINT_NAMES[joint].partition("_")[0]
        colour = torch.tensor(COLOURS.get(side, COLOURS[""]))[:, None, None]
        image = image * (1 - ink) + colour * ink
    return image
