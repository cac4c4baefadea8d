"""From a prompt to a motion file, on a CPU, in minutes: `python experiments/quickstart.py`."""

from pathlib import Path

from motiondistill.body.anny import anny_body
from motiondistill.cameras import Orbit
from motiondistill.motion.motion_file import save_motion
from motiondistill.optimize import (
    DistillSettings,
    RegularizerWeights,
    Settings,
    initial_state,
    optimize,
)
from motiondistill.priors import EMBEDDED_PRIOR, load_prior
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.starts import FitSettings, Problem

prior, body, scene = load_prior(EMBEDDED_PRIOR), anny_body(), Scene(CpuRasterizer())
problem = Problem("a person is walking", prior, body, scene, Orbit(), num_frames=17, seed=0)
settings = Settings(FitSettings(), DistillSettings(), RegularizerWeights())
for step in optimize(problem, settings, initial_state(problem, settings)):
    print(step.index, step.stage, f"{step.loss.item():.3f}")
joints = body(step.motion).joints
save_motion(Path("walk.npz"), step.motion, joints, prompt=problem.prompt, seed=0, body=body.name)
