"""Critics from a configuration: who judges, and what is refused."""

import dataclasses

import pytest

from motiondistill import config
from motiondistill.building.critics import pinned_priors
from motiondistill.building.objects import make_problem
from motiondistill.schema.jobs import OptimizeConfig


def test_who_judges_is_the_configurations() -> None:
    given = [
        "prior.model=gaussian",
        "image_prior.model=gaussian",
        "image_prior.frames=3",
        "image_prior.weight=0.25",
        "image_prior.guidance_scale=7",
        "image_prior.first_level=0.8",
        "image_prior.last_level=0.3",
        "image_prior.weighting=x0",
        "image_prior.prompt=a photo",
        "image_prior.negative_prompt=''",
        "score.objective=sds",
        "score.last_guidance_scale=2",
        "camera.size=[16, 16]",
    ]
    settings = config.load(OptimizeConfig, None, given)
    assert pinned_priors(settings) == settings  # a closed form has no files to pin
    (critic,) = make_problem(settings, "a person bows").critics
    assert (critic.images, critic.weight, critic.rows_per_view) == (3, 0.25, 3)
    assert (critic.prompt, critic.negative_prompt) == ("a photo", "")
    expected = dataclasses.replace(
        settings.score,
        guidance_scale=7.0,
        weighting="x0",
        last_guidance_scale=None,
        first_level=0.8,
        last_level=0.3,
    )
    assert critic.knobs == expected
    assert make_problem(config.load(OptimizeConfig, None, given[:1]), "x").critics == ()
    silent = ["prior.model=gaussian", "image_prior.model=not/there", "image_prior.weight=0"]
    settings = config.load(OptimizeConfig, None, silent)
    assert pinned_priors(settings) == settings and make_problem(settings, "x").critics == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["image_prior.frames=3"], r"`image_prior\.frames` must be left out without image_prior"),
        (["score.weight=0"], r"`score\.weight` must be above 0 without an image prior"),
        (
            ["score.weight=0", "image_prior.model=gaussian", "image_prior.weight=0"],
            r"`score\.weight` must be above 0 without an image prior",
        ),
    ],
)
def test_critics_that_cannot_be_are_told(given: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config.load(OptimizeConfig, None, given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["image_prior.frames=17"], r"`image_prior\.frames` must be at most the 16 frames"),
        (
            ["image_prior.model=no/folder/here"],
            r"of `image_prior\.model` no/folder/here: ",
        ),
    ],
)
def test_image_priors_that_do_not_fit_are_told(given: list[str], message: str) -> None:
    usual = ["prior.model=gaussian", "image_prior.model=gaussian"]
    settings = config.load(OptimizeConfig, None, [*usual, *given])
    with pytest.raises(ValueError, match=message):
        make_problem(settings, "x")
