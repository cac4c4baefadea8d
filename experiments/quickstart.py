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
    read,
)
from motiondistill.priors import EMBEDDED_PRIOR, load_prior
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.starts import FitSettings, Problem

PROMPT, SEED = "a person is walking", 0
prior, body, scene = load_prior(EMBEDDED_PRIOR), anny_body(), Scene(CpuRasterizer())
clip = prior.format
cameras = Orbit(size=(clip.height, clip.width))
problem = Problem(PROMPT, prior, body, scene, cameras, clip.frames, SEED)
settings = Settings(FitSettings(), DistillSettings(), RegularizerWeights())
state = initial_state(problem, settings)
for step in optimize(problem, settings, state):
    print(step.index, step.stage, f"{step.loss.item():.3f}")
motion = read(problem, state.fields[0]).detach()
joints = body(motion).joints
save_motion(Path("motion.npz"), motion, joints, prompt=PROMPT, seed=SEED, body=body.name)
