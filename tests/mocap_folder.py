"""Small folders of motion capture, made from parametric motions."""

import csv
from pathlib import Path

import numpy as np
import torch
from standin_skeleton import rest_joints

from motiondistill import rotations
from motiondistill.data.joints import JOINTS_FPS
from motiondistill.data.parametric import parametric_motion
from motiondistill.kinematics import forward_kinematics
from motiondistill.randomness import seeded


def clip_joints(
    action: str,
    seconds: float,
    *,
    speed: float = 0.0,
    side: str = "right",
    heading: float = 0.0,
    seed: int = 5,
) -> np.ndarray:
    """Joint positions of a parametric motion at 30 fps that travels ahead, turned to a heading."""
    frames = int(seconds * JOINTS_FPS)
    motion = parametric_motion(
        action, side, seeded(seed, 0, action), rest_joints(), JOINTS_FPS, frames
    )
    _, joints = forward_kinematics(motion.rotations, rest_joints())
    joints = joints + motion.translation[:, None]
    joints[..., 2] += speed * torch.arange(frames)[:, None] / JOINTS_FPS
    return (joints @ rotations.about_y(torch.tensor(heading)).T).numpy()


def write_folder(
    folder: Path, clips: dict[str, tuple[str, np.ndarray]], floor: dict[str, float] | None = None
) -> Path:
    (folder / "joints22").mkdir(parents=True)
    np.savez(
        folder / "joints22" / "cmu_j22.npz", **{name: joints for name, (_, joints) in clips.items()}
    )
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["clip", "npz", "source", "cls", "desc", "glitch_frames", "floor_y"])
        for name, (label, _) in clips.items():
            writer.writerow(
                [name, "cmu_j22.npz", "x", label, "x", 0, (floor or {}).get(name, 0.03)]
            )
    return folder
