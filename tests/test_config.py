"""Configurations merge in order, come back from YAML, and every mistake is told in one line."""

import dataclasses
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motiondistill import config
from motiondistill.prompts import VIEW_NAMES
from motiondistill.schema import jobs
from motiondistill.schema.jobs import JOBS, OptimizeConfig, SampleConfig
from motiondistill.schema.knobs import RANGES, knobs, records

SHIPPED = [(job, name) for job in JOBS for name in config.shipped(job)]


@pytest.mark.parametrize(("job", "name"), SHIPPED)
def test_every_shipped_configuration_loads_and_changes_something(job: str, name: str) -> None:
    assert config.load(JOBS[job], name) != JOBS[job]()


def test_configurations_are_shipped() -> None:
    assert {"fast", "neutral_start"} <= set(config.shipped("optimize"))


def test_defaults_then_base_then_file_then_overrides(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("score: {views: 3, guidance_scale: 3}\nabout: {prompt: x}\n")
    base = {"score": {"views": 2, "guidance_scale": 2, "num_steps": 2}}
    score = config.load(OptimizeConfig, str(file), ["score.views=5"], base=base).score
    assert (score.views, score.guidance_scale, score.num_steps) == (5, 3.0, 2)
    assert config.load(OptimizeConfig).score == OptimizeConfig().score


@pytest.mark.slow
@given(
    seed=st.integers(0, 2**63 - 1),
    frames=st.none() | st.integers(3, 1024),
    size=st.tuples(st.integers(16, 2048), st.integers(16, 2048)),
    scale=st.floats(0, 1000),
    negative=st.text(st.characters(exclude_categories=["Cs"])).filter(
        lambda text: "${" not in text and text != "???"
    ),
)
def test_yaml_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    frames: int | None,
    size: tuple[int, int],
    scale: float,
    negative: str,
) -> None:
    default = OptimizeConfig()
    original = dataclasses.replace(
        default,
        prior=dataclasses.replace(default.prior, negative_prompt=negative),
        run=dataclasses.replace(default.run, seed=seed, frames=frames),
        camera=dataclasses.replace(default.camera, size=size),
        score=dataclasses.replace(default.score, guidance_scale=scale),
    )
    file = tmp_path_factory.mktemp("yaml") / "config.yaml"
    file.write_text(config.to_yaml(config.to_dict(original)), encoding="utf-8")
    assert config.load(OptimizeConfig, str(file)) == original


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "score.guidence_scale=5",
            "`score.guidence_scale` is not a key of `optimize`; "
            "did you mean `score.guidance_scale`?",
        ),
        (
            "pror.model=x",
            "`pror.model` is not a key of `optimize`; did you mean `prior.model` or "
            "`image_prior.model`?",
        ),
        (
            "score.guid=5",
            "`score.guid` is not a key of `optimize`; did you mean `score.guidance_scale` or "
            "`score.guidance_base` or `score.guidance_rescale`?",
        ),
        ("score.view=5", "`score.view` is not a key of `optimize`; did you mean `score.views`?"),
        ("seed=1", "`seed` is not a key of `optimize`; did you mean `run.seed`?"),
        ("zzz=1", "`zzz` is not a key of `optimize`; `motiondistill config` lists the keys."),
        ("score.views=many", "`score.views` must be a whole number, got 'many'; the default is 4."),
        ("score.views=4.5", "`score.views` must be a whole number, got 4.5; the default is 4."),
        (
            "run.frames=true",
            "`run.frames` must be a whole number or null, got True; the default is null.",
        ),
        (
            "prior.weights=zero",
            "`prior.weights` must be one of pretrained, random, got 'zero'; "
            "the default is 'pretrained'.",
        ),
        (
            "camera.size=64",
            "`camera.size` must be [a whole number, a whole number] or null, got 64; "
            "the default is null.",
        ),
        (
            "camera.size=[64,8]",
            "`camera.size` must be between 16 and 2048, got [64, 8]; the default is null.",
        ),
        (
            "run.frames=1",
            "`run.frames` must be between 3 and 1024, got 1; the default is null.",
        ),
        ("prior=embedded", "`prior` must be a group of keys, got 'embedded'; set one of them: "),
        ("prior.model=${oc.env:HOME}", "`prior.model` must be a plain value, got '${oc.env:HOME}'"),
        ("prior.model=???", "`prior.model` must be a plain value, got '???'"),
        ("is walking", "an override must have the form key=value, got 'is walking'; "),
        ("=3", "an override must have the form key=value, got '=3'; "),
        ("camera.size=[64", "an override must be readable as YAML, got 'camera.size=[64'; "),
    ],
)
def test_mistakes_are_told_exactly(override: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        config.load(OptimizeConfig, None, [override])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e9"])
def test_numbers_out_of_range_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"`score\.guidance_scale` must be between 0 and 1000"):
        config.load(OptimizeConfig, None, [f"score.guidance_scale={value}"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("score: [", "`--config` must be YAML"),
        ("- a\n- b\n", "`--config` must hold keys and values"),
        ("score: {viws: 3}", r"`score\.viws` is not a key of `optimize`"),
        ("score: 3", "`score` must be a group of keys, got 3"),
    ],
)
def test_mistakes_in_files_are_told(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        config.load(OptimizeConfig, str(file))


def test_a_missing_file_names_the_shipped_ones() -> None:
    with pytest.raises(FileNotFoundError, match=r"a shipped name \(.*fast.*\), got 'fst'"):
        config.load(OptimizeConfig, "fst")


@pytest.mark.parametrize("job", JOBS)
def test_every_number_has_a_range_and_every_default_lies_in_it(job: str) -> None:
    kinds = every_kind(job)
    numbers = {key for key, kind in kinds.items() if {int, float} & _parts(kind)}
    assert numbers == set(RANGES) & set(kinds)
    JOBS[job]()  # checks the defaults


def test_every_range_belongs_to_a_key() -> None:
    assert set(RANGES) <= {key for job in JOBS for key in every_kind(job)}


def every_kind(job: str) -> dict[str, Any]:
    """The types of all keys, also of those in lists of records."""
    found = {}
    for key, (kind, _) in knobs(JOBS[job]).items():
        record = records(kind)
        parts = dataclasses.fields(record) if record else ()
        found |= {f"{key}.{part.name}": part.type for part in parts} or {key: kind}
    return found


def test_a_jobs_own_defaults_are_shown_and_restored() -> None:
    assert knobs(JOBS["render"])["body.resolution"][1] == "full"
    assert knobs(JOBS["optimize"])["body.resolution"][1] == "low"
    with pytest.raises(ValueError, match=r"`render\.supersampling` .*the default is 2\."):
        config.load(JOBS["render"], None, ["render.supersampling=none"])


def test_what_was_named_is_told_from_what_was_not(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("body: {age: 0.5}\nabout: {prompt: x}\n")
    given = config.given(JOBS["render"], str(file), ["body.name=anny"])
    assert given == {"body.age": 0.5, "body.name": "anny"}
    assert config.given(JOBS["render"], None, []) == {}


def test_the_views_are_those_of_the_prompts() -> None:
    assert get_args(jobs.View) == VIEW_NAMES


@pytest.mark.parametrize("job", JOBS)
def test_the_schema_shows_every_key(job: str) -> None:
    source = config.schema_source(job)
    assert all(f"    {key.split('.')[1]}: " in source for key in knobs(JOBS[job]))


def test_a_sample_has_no_keys_of_the_optimisation() -> None:
    with pytest.raises(ValueError, match=r"`run\.checkpoint_every` is not a key of `sample`"):
        config.load(SampleConfig, None, ["run.checkpoint_every=5"])


def _parts(kind: Any) -> set[Any]:
    return {kind} | {part for argument in get_args(kind) for part in _parts(argument)}
