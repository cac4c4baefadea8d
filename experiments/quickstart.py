"""From a prompt to a motion file, on a CPU, in minutes: `python experiments/quickstart.py`."""

from pathlib import Path

from motiondistill.building.objects import make_problem, make_settings
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.motion.motion_file import save_motion
from motiondistill.schema.jobs import OptimizeConfig

config = OptimizeConfig()
problem, settings = make_problem(config, "a person is walking"), make_settings(config)
for step in optimize(problem, settings, initial_state(problem, settings)):
    print(step.index, step.stage, f"{step.loss.item():.3f}")
joints = problem.body(step.motion).joints  # [frames, 22, 3], metres
save_motion(Path("walk.npz"), step.motion, joints, prompt=problem.prompt, seed=0, body="anny-low")
