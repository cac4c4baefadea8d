"""The folder of a run that has just ended, for tests of its page: few frames, tiny pictures."""

import json
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter
from walk_file import save, walk

from motiondistill.bookkeeping import store
from motiondistill.config import load
from motiondistill.report.media import save_strip, save_video
from motiondistill.schema.jobs import OptimizeConfig

FRAMES, FPS, STEPS = 5, 8.0, 300
LEVELS = (40, 80, 120, 160, 200)
"""The grey of each frame of the videos, of 255."""
CHANGED = ["score.views=7", "run.seed=3"]


def leave(folder: Path, body: Any, prompt: str = "a person walks") -> Path:
    """The run's folder without its page."""
    folder.mkdir(parents=True)
    save(folder / "motion.npz", walk(body), body, prompt=prompt, seed=3)
    greys = torch.tensor(LEVELS)[:, None, None, None].expand(FRAMES, 3, 16, 16) / 255
    save_video(folder / "video_front.mp4", greys, FPS)
    save_video(folder / "video_orbit.mp4", greys, FPS, loops=3)
    save_strip(folder / "strip.png", greys.expand(3, FRAMES, 3, 16, 16))
    metrics: dict[str, Any] = {"prompt": prompt, "seed": 3, "steps": STEPS, "finished": True}
    metrics |= {"loss": 0.25, "evidence": 1e-5, "seconds": 75.0}
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    store.write_config(folder, load(OptimizeConfig, None, CHANGED), store.origin(prompt))
    with SummaryWriter(str(folder)) as writer:
        for step in range(1, STEPS + 1):
            writer.add_scalar("loss", 1 / step, step)
            writer.add_scalar("gradients/pose", 2.0**-step if step % 2 else 0.5, step)
            if step > 100:
                writer.add_scalar("terms/score", -1.0, step)
    return folder
