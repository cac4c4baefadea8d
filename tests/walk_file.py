"""A short walk on the low body and its file, as a run would leave it."""

from pathlib import Path
from typing import Any

from motiondistill.body.skinning import SkinnedBody
from motiondistill.data.parametric import parametric_motion
from motiondistill.motion.motion_file import save_motion
from motiondistill.randomness import seeded
from motiondistill.structures import Motion

FRAMES, FPS = 5, 8.0
SMALL = ["body.resolution=low", "camera.size=[64,64]", "render.supersampling=1", "run.threads=1"]


def walk(body: SkinnedBody) -> Motion:
    return parametric_motion("walk", "left", seeded(3), body.rest_joints, FPS, FRAMES)


def save(path: Path, motion: Motion, measured: SkinnedBody, **given: Any) -> None:
    origin = {"prompt": "a walk", "seed": 0, "body": "anny-low"} | given
    save_motion(path, motion, measured(motion).joints, **origin)
