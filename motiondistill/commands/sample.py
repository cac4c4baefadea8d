"""`motiondistill sample`: a video from a prior."""

import argparse

from motiondistill import config, priors
from motiondistill.building import objects
from motiondistill.commands.session import (
    checked_prompt,
    compute_repeatably,
    new_video,
    terminal,
)
from motiondistill.prompts import with_words
from motiondistill.randomness import seeded
from motiondistill.report.media import save_strip, save_video
from motiondistill.schema.jobs import SampleConfig


def run(options: argparse.Namespace) -> int:
    """Draws the video; 0."""
    prompt = checked_prompt(options.prompt)
    settings = config.load(SampleConfig, options.config, options.overrides)
    knobs, negative = settings.sample, settings.prior.negative_prompt
    path = new_video(options.out, prompt)
    with terminal():
        compute_repeatably(settings.run.threads)
        prior = objects.make_prior(settings.prior, settings.run.seed)
        height, width = knobs.size or (prior.format.height, prior.format.width)
        latents = priors.sample(
            prior,
            [prompt if knobs.view is None else with_words(prompt, knobs.view)],
            generator=seeded(settings.run.seed, 0, "sample"),
            num_steps=knobs.num_steps,
            guidance_scale=knobs.guidance_scale,
            negative_prompts=[negative if knobs.view is None else with_words(negative, knobs.view)],
            size=(settings.run.frames or prior.format.frames, height, width),
        )
        video = prior.decode(latents).detach()
    save_video(path, video[0], prior.format.fps)
    save_strip(path.with_suffix(".png"), video)
    print(path)
    print(path.with_suffix(".png"))
    return 0
