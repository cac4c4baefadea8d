"""Runs that are made in no time: the motion is parametric, and which one follows from settings."""

import json
from collections.abc import Callable
from pathlib import Path

import imageio.v3
import numpy as np
import torch
from comparison.runs import prompt_of

from motiondistill.body.skinning import SkinnedBody
from motiondistill.bookkeeping import store
from motiondistill.checkpoints import CHECKPOINTS, save_step
from motiondistill.config import load
from motiondistill.data.captions import ACTIONS
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.motion.motion_file import save_motion
from motiondistill.randomness import seeded
from motiondistill.report.results import RESULTS
from motiondistill.schema.jobs import OptimizeConfig

SECONDS = 90.0
ACTION_OF = {prompt_of(action): action for action in ACTIONS}
Shown = Callable[[str, OptimizeConfig], str]


class QuickOptimizer:
    """Stands for `motiondistill optimize`: writes what a run leaves, and counts the calls."""

    def __init__(self, body: SkinnedBody, shown: Shown) -> None:
        self.body, self.shown, self.calls = body, shown, list[list[str]]()

    def __call__(self, arguments: list[str]) -> int:
        self.calls.append(arguments)
        job, prompt, out, folder, *settings = arguments
        assert (job, out) == ("optimize", "--out")
        settings = [setting for setting in settings if setting != "--resume"]
        config = load(OptimizeConfig, None, settings)
        self.leave(Path(folder), prompt, config)
        return 0

    @torch.no_grad()
    def leave(self, folder: Path, prompt: str, config: OptimizeConfig) -> None:
        """The files of a finished run that shows `shown(action asked for, configuration)`."""
        folder.mkdir(parents=True, exist_ok=True)
        action = self.shown(ACTION_OF[prompt], config)
        assert action in PARAMETRIC_ACTIONS
        seed = config.run.seed
        motion = parametric_motion(action, "right", seeded(seed), self.body.rest_joints, 8.0, 16)
        joints = self.body(motion).joints
        save_motion(
            folder / "motion.npz", motion, joints, prompt=prompt, seed=seed, body=self.body.name
        )
        steps = config.init.updates + config.score.num_steps
        metrics = {"seconds": SECONDS, "steps": steps, "finished": True}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        imageio.v3.imwrite(folder / "strip.png", np.full((96, 256, 3), 200, np.uint8))
        for name in set(RESULTS) - {"motion.npz", "metrics.json", "strip.png"}:
            (folder / name).touch()
        save_step(folder / CHECKPOINTS, steps, {})
        store.write_config(folder, config, store.origin(prompt))
