"""What `motiondistill diagnose` looks at, from its configuration."""

import dataclasses

from motiondistill import config as configs
from motiondistill.bookkeeping.probed_levels import with_probed_levels
from motiondistill.building.critics import pinned_priors
from motiondistill.building.objects import make_problem, make_settings
from motiondistill.engine.stages import Settings
from motiondistill.engine.starts import Problem
from motiondistill.schema.jobs import DiagnoseConfig, LatentsConfig, distilling, looking
from motiondistill.schema.look import CameraConfig
from motiondistill.schema.runs import LatentsRunConfig

_JITTERS = ("elevation_jitter", "distance_jitter", "fov_jitter")


def settled(config: DiagnoseConfig, threads: int) -> DiagnoseConfig:
    """The configuration with what this machine, the priors' files and a probe made of it.

    Raises as `with_probed_levels` and `pinned` do.
    """
    found = pinned_priors(with_probed_levels(distilling(config)))
    return dataclasses.replace(
        config,
        prior=found.prior,
        image_prior=found.image_prior,
        score=found.score,
        run=dataclasses.replace(found.run, threads=threads),
    )


def make_looking(config: DiagnoseConfig) -> tuple[Problem, Settings]:
    """What motions are fitted to videos by, and distilled; raises as `make_problem` does.

    The problem serves either start: it knows the poses that a sampled one wants.
    """
    told = looking(config)
    return make_problem(told, ""), make_settings(told)


def clips_config(config: DiagnoseConfig) -> LatentsConfig | None:
    """What clips without a body are asked by; None where they are left out.

    Raises ValueError and FileNotFoundError for a configuration of them that cannot be read.
    """
    given = config.diagnose
    if given.latent_steps == 0:
        return None
    base = configs.load(LatentsConfig, given.latents, named_by="diagnose.latents")
    steps = base.score.num_steps if given.latent_steps is None else given.latent_steps
    still = {name: getattr(CameraConfig(), name) for name in _JITTERS}
    run = config.run
    return dataclasses.replace(
        base,
        prior=config.prior,
        words=config.words,
        latents=dataclasses.replace(
            base.latents, models=(), recognise=True, fit_steps=config.init.num_steps
        ),
        score=dataclasses.replace(base.score, num_steps=steps),
        body=config.body,
        camera=dataclasses.replace(config.camera, **still),
        render=config.render,
        run=LatentsRunConfig(
            run.seed,
            run.frames,
            run.threads,
            run.checkpoint_every,
            run.keep_checkpoints,
        ),
    )
