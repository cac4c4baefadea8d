"""What can be seen: contact sheets of appearances, surroundings, bodies, cameras and outputs.

    python experiments/gallery.py [--out results/rendering] [--seed 0]

Draws everything with the default rasteriser and writes one image a sheet, and beside the folder a
page of the same name that shows them.
"""

import argparse
import colorsys
import dataclasses
import math
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import imageio.v3
import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.anny import Phenotype, anny_body
from motiondistill.body.base import Body
from motiondistill.build import make_changes, make_scene
from motiondistill.cameras import EIGHT_VIEWS, Orbit, azimuths_of
from motiondistill.data.parametric import parametric_motion
from motiondistill.framing import framing
from motiondistill.randomness import seeded
from motiondistill.render.appearance import part_palette, textured
from motiondistill.render.background import Backdrop, CubeMap
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.motion_map import motion_map, smpl_parts
from motiondistill.render.outputs import depth, part_mask
from motiondistill.render.randomization import randomized
from motiondistill.render.scene import Scene
from motiondistill.render.skeleton_map import skeleton_map
from motiondistill.render.tracklets import spread, tracklets
from motiondistill.report.media import to_bytes
from motiondistill.runs import source_commit
from motiondistill.schema import RenderConfig
from motiondistill.structures import HAND_NAMES, JOINT_INDEX, NUM_JOINTS, Camera, Mesh, Motion
from motiondistill.trajectories import KeyFrame, Trajectory, dolly, pan, turn, zoom

Tile = Float[Tensor, "3 height width"]
SIZE = (160, 96)
ORBIT = Orbit(size=SIZE, fov_y=0.56)


def posed(body: Body, lift: float = 0.0, **turns: tuple[float, float, float]) -> Motion:
    """One frame with these joints turned (axis-angle), its lowest vertex `lift` metres high."""
    angles = torch.zeros(1, NUM_JOINTS, 3)
    for name, turned in turns.items():
        angles[0, JOINT_INDEX[name]] = torch.tensor(turned)
    motion = Motion(rotations.from_axis_angle(angles), torch.zeros(1, 3), fps=8.0)
    rise = lift - float(body(motion).vertices[..., 1].min())
    return dataclasses.replace(motion, translation=torch.tensor([[0.0, rise, 0.0]]))
