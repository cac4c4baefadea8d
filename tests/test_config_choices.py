"""Keys that the chosen look would ignore are refused; so is what cannot work together."""

import itertools
from typing import Any, get_args

import pytest

from motiondistill import config
from motiondistill.building.objects import make_settings
from motiondistill.schema.jobs import FilmConfig, OptimizeConfig
from motiondistill.schema.knobs import USED_WITH, knobs

OTHER: dict[str, Any] = {
    "field.action": "walk",
    "field.deviations": 2.0,
    "field.frequencies": 3,
    "field.hash_coarsest": 3,
    "field.hash_features": 2,
    "field.hash_finest": 9,
    "field.hash_levels": 3,
    "field.hash_log2_table": 5,
    "field.width": 64,
    "init.guidance_scale": 2.0,
    "init.learning_rate": 0.01,
    "init.motion": "walk.npz",
    "init.num_samples": 2,
    "init.num_stances": 1,
    "init.num_steps": 100,
    "init.sampling_steps": 5,
    "init.upright": 0.5,
    "init.usual_poses": 0.1,
    "render.appearance": "plain",
    "render.colour": "[0.1,0.2,0.3]",
    "render.outfit": 3,
    "render.texture": "skin.png",
    "render.light": "[1,0,0]",
    "render.ambient": 0.2,
    "render.background_colour": "[0.1,0.2,0.3]",
    "render.background_file": "wall.png",
    "render.ground_colour": "[0.1,0.2,0.3]",
    "render.shadow": 0.3,
    "score.avoid_other_views": "true",
    "score.domain_level": 0.5,
    "score.first_level": 0.8,
    "score.guidance_base": "empty",
    "score.guidance_rescale": 0.5,
    "score.inversion_guidance_scale": -2.0,
    "score.inversion_noise": 0.1,
    "score.last_level": 0.5,
    "score.level_jitter": 0.05,
    "score.lora_learning_rate": 0.01,
    "score.lora_rank": 2,
    "score.probe": "probes/one",
    "score.reference_prompt": "a person sits",
    "score.target_steps": 3,
}
KNOBS = knobs(OptimizeConfig)


def literals(kind: Any) -> tuple[str, ...]:
    """The names of a choice that may be null, too."""
    names = (name for part in (kind, *get_args(kind)) for name in get_args(part))
    return tuple(name for name in names if isinstance(name, str))


PAIRS = [
    (key, chooser, choice)
    for key, (chooser, _) in USED_WITH.items()
    for choice in get_args(KNOBS[chooser][0])
]
JOBS: tuple[type[OptimizeConfig | FilmConfig], ...] = (OptimizeConfig, FilmConfig)


@pytest.mark.parametrize(
    ("schema", "key", "chooser", "choice"),
    [(schema, *pair) for schema in JOBS for pair in PAIRS if pair[0] in knobs(schema)],
)
def test_a_key_is_refused_just_where_it_would_be_ignored(
    schema: type[OptimizeConfig | FilmConfig], key: str, chooser: str, choice: str
) -> None:
    if key not in knobs(schema):
        return
    config.load(schema, None, [f"{chooser}={choice}"])  # defaults are never refused
    given = [f"{chooser}={choice}", f"{key}={OTHER[key]}"]
    if choice in USED_WITH[key][1]:
        config.load(schema, None, given)
        return
    with pytest.raises(ValueError) as caught:
        config.load(schema, None, given)
    start = f"`{key}` must be left out with {chooser}={choice}, got "
    assert str(caught.value).startswith(start)
    # The remedy is one.
    *_, remedy = str(caught.value).split("; add ")
    config.load(schema, None, [f"{key}={OTHER[key]}", remedy.rstrip(".").split(" or ")[0]])


def test_the_table_names_keys_and_choices_that_there_are() -> None:
    assert set(OTHER) == set(USED_WITH)
    for key, (chooser, choices) in USED_WITH.items():
        assert key in KNOBS and set(choices) < set(get_args(KNOBS[chooser][0]))


IMAGES: dict[str, Any] = {
    "image_prior.device": "cuda",
    "image_prior.dtype": "float16",
    "image_prior.first_level": 0.5,
    "image_prior.frames": 3,
    "image_prior.guidance_scale": 2.0,
    "image_prior.last_level": 0.5,
    "image_prior.negative_prompt": "a photo",
    "image_prior.prompt": "a photo",
    "image_prior.revision": "main",
    "image_prior.weight": 0.5,
    "image_prior.weighting": "x0",
}


@pytest.mark.parametrize("key", IMAGES)
def test_keys_of_an_image_prior_that_is_not_there_are_refused(key: str) -> None:
    with pytest.raises(ValueError) as caught:
        config.load(OptimizeConfig, None, [f"{key}={IMAGES[key]}"])
    start = f"`{key}` must be left out without image_prior.model, got "
    assert str(caught.value).startswith(start)
    config.load(OptimizeConfig, None, [f"{key}={IMAGES[key]}", "image_prior.model=gaussian"])


def test_all_keys_of_an_image_prior_are_tried() -> None:
    keys = {key for key in KNOBS if key.startswith("image_prior.")}
    assert {*IMAGES, "image_prior.model"} == keys


CHOOSERS = "score.level_path score.learning_schedule words.views image_prior.weighting".split()
CHOICES = [(key, choice) for key in CHOOSERS for choice in literals(KNOBS[key][0])]


@pytest.mark.parametrize(("key", "choice"), CHOICES)
def test_every_choice_is_taken_and_others_are_told(key: str, choice: str) -> None:
    model = "image_prior.model=gaussian"
    settings = config.load(OptimizeConfig, None, [model, f"{key}={choice}"])
    assert make_settings(settings).distill == settings.score  # resolved by name
    with pytest.raises(ValueError, match=choice):
        config.load(OptimizeConfig, None, [model, f"{key}=other"])


@pytest.mark.slow
def test_what_is_drawn_by_chance_must_be_there_and_not_be_the_users() -> None:
    looks = itertools.product(
        ("nothing", "background", "light", "everything"),
        ("lambert", "unlit", "normals"),
        ("solid", "sky", "image", "cube"),
    )
    for randomize, shading, background in looks:
        given = [
            f"render.randomize={randomize}",
            f"render.shading={shading}",
            f"render.background={background}",
        ]
        dark = randomize == "light" and shading != "lambert"
        lost = randomize in ("background", "everything") and background in ("image", "cube")
        if not dark and not lost:
            config.load(OptimizeConfig, None, given)
            continue
        with pytest.raises(ValueError, match=r"`render\.randomize` must not be ") as caught:
            config.load(OptimizeConfig, None, given)
        assert f"render.{'shading' if dark else 'background'}=" in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["render.light=[0,0,0]"],
            "`render.light` must not be zero, got [0.0, 0.0, 0.0]; point it towards the light.",
        ),
        (
            ["camera.distance=2", "camera.distance_jitter=2"],
            "`camera.distance_jitter` must leave camera.distance=2 between 0 and inf, got 2; "
            "take less than 2.",
        ),
        (
            ["camera.elevation=-1.2", "camera.elevation_jitter=0.4"],
            "`camera.elevation_jitter` must leave camera.elevation=-1.2 between -1.5708 and "
            "1.5708, got 0.4; take less than 0.370796.",
        ),
        (
            ["camera.fov_y=2.5", "camera.fov_jitter=1"],
            "`camera.fov_jitter` must leave camera.fov_y=2.5 between 0 and 3.14159, got 1; "
            "take less than 0.641593.",
        ),
        (
            ["camera.path=turn"],
            "`camera.path` is not a key of `optimize`; it belongs to `motiondistill render`.",
        ),
        (
            ["sample.size=[64,64]"],
            "`sample.size` is not a key of `optimize`; it belongs to `motiondistill sample`.",
        ),
    ],
)
def test_what_cannot_be_is_told_at_once_under_its_own_key(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        config.load(OptimizeConfig, None, overrides)
    assert str(caught.value) == message


def test_jitter_within_its_bounds_is_taken() -> None:
    camera = config.load(
        OptimizeConfig, None, ["camera.distance_jitter=3.9", "camera.fov_jitter=0.5"]
    ).camera
    assert (camera.distance_jitter, camera.fov_jitter) == (3.9, 0.5)
