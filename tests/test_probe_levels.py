"""`score.levels=auto`: which probes a run may follow, and how it goes on with one."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from motiondistill import config as configs
from motiondistill.bookkeeping import resuming, store
from motiondistill.bookkeeping.probed_levels import load_with_record, with_probed_levels
from motiondistill.checkpoints import CHECKPOINTS, save_step
from motiondistill.cli import main
from motiondistill.schema.jobs import OptimizeConfig

PROMPT = "a person walks"
LEVELS = {"first_level": 0.8, "last_level": 0.4}


def probe_in(folder: Path, objective: str, guidance_scale: float | None, **levels: float) -> str:
    """The override that names a probe's summary with this suggestion."""
    suggestion = LEVELS | levels | {"guidance_scale": guidance_scale, "cosine": 0.1}
    gradients = {"objective": objective, "suggestion": suggestion}
    summary = {
        "prior": {"model": "gaussian"},
        "finished": True,
        "pairs": {},
        "gradients": gradients,
    }
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(summary))
    return f"score.probe={folder}"


def resolved(*words: str) -> OptimizeConfig:
    return with_probed_levels(configs.load(OptimizeConfig, None, ["score.levels=auto", *words]))


def test_a_probe_of_another_objective_is_refused(tmp_path: Path) -> None:
    probe = probe_in(tmp_path / "sds", "sds", 7.0)
    assert resolved(probe, "score.objective=sds").score.guidance_scale == 7
    told = r"`score\.objective` must be sds .* got 'csd'; add score\.objective=sds, or name a probe"
    with pytest.raises(ValueError, match=told):
        resolved(probe)


@pytest.mark.parametrize("given", [[], ["score.guidance_scale=4"], ["score.guidance_scale=7"]])
def test_the_suggested_guidance_is_taken(tmp_path: Path, given: list[str]) -> None:
    probe = probe_in(tmp_path / "sds", "sds", 7.0)
    assert resolved(probe, "score.objective=sds", *given).score.guidance_scale == 7


def test_another_guidance_than_the_suggested_is_refused(tmp_path: Path) -> None:
    probe = probe_in(tmp_path / "sds", "sds", 7.0)
    told = (
        r"`score\.guidance_scale` must be the 7 that .* got 3; leave it out, or give the levels by "
        r"score\.first_level=0\.8 and score\.last_level=0\.4"
    )
    with pytest.raises(ValueError, match=told):
        resolved(probe, "score.objective=sds", "score.guidance_scale=3")
    free = probe_in(tmp_path / "csd", "csd", None)
    assert resolved(free, "score.guidance_scale=3").score.guidance_scale == 3


def stored_run(folder: Path, *words: str) -> Path:
    """The folder of a run that such words began, and that has begun to distill."""
    config = resolved(*words)
    store.write_config(folder, config, store.origin(PROMPT))
    save_step(folder / CHECKPOINTS, config.init.updates + 1, {})
    return folder


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    probe_in(tmp_path / "sds", "sds", 7.0)
    return stored_run(tmp_path, f"score.probe={tmp_path}/sds", "score.objective=sds")


def going_on(folder: Path, *words: str) -> OptimizeConfig:
    return resuming.stored_config(folder, PROMPT, None, ["score.levels=auto", *words])


def test_a_run_goes_on_with_the_probe_that_it_began_with(begun: Path) -> None:
    stored = configs.load(OptimizeConfig, str(begun / resuming.CONFIG))
    assert (stored.score.levels, stored.score.probe) == ("probed", f"{begun}/sds")
    assert going_on(begun, f"score.probe={begun}/sds") == stored
    assert going_on(begun) == stored, "it is recorded"
    longer = going_on(begun, f"score.probe={begun}/sds", "score.num_steps=999")
    assert longer.score == dataclasses.replace(stored.score, num_steps=999)


def test_a_run_that_goes_on_needs_no_probe(begun: Path) -> None:
    """The record is enough; and its file begins other runs with the same levels."""
    shutil.rmtree(begun / "sds")
    stored = configs.load(OptimizeConfig, str(begun / resuming.CONFIG))
    assert resuming.stored_config(begun, PROMPT, None, []) == stored
    assert with_probed_levels(stored) == stored
    assert (stored.score.first_level, stored.score.last_level) == (0.8, 0.4)


@pytest.mark.parametrize(
    ("guidance", "levels", "told"),
    [
        (7.0, {"last_level": 0.5}, r"`score\.last_level` must be the stored run's 0\.4, got 0\.5"),
        (5.0, {}, r"`score\.guidance_scale` must be the stored run's 7\.0, got 5\.0"),
    ],
)
def test_a_run_that_goes_on_follows_no_probe_that_says_something_else(
    begun: Path, guidance: float, levels: dict[str, float], told: str
) -> None:
    other = probe_in(begun / "other", "sds", guidance, **levels)
    with pytest.raises(ValueError, match=told):
        going_on(begun, other)
    shutil.rmtree(begun / CHECKPOINTS)  # as before it begins to distill
    assert going_on(begun, other).score.guidance_scale == guidance


def test_a_probe_without_guidance_leaves_the_stored_runs(tmp_path: Path) -> None:
    probe = probe_in(tmp_path / "csd", "csd", None)
    stored_run(tmp_path, probe, "score.guidance_scale=3")
    assert going_on(tmp_path, probe).score.guidance_scale == 3


def test_going_on_by_auto_needs_a_probe(tmp_path: Path) -> None:
    store.write_config(tmp_path, OptimizeConfig(), store.origin(PROMPT))
    with pytest.raises(ValueError, match=r"`score\.probe` must name a probe's folder"):
        going_on(tmp_path)


def over_record(folder: Path, *words: str) -> OptimizeConfig:
    """What a new run makes of the record of the one in the folder, and of such words."""
    record = str(folder / resuming.CONFIG)
    return with_probed_levels(load_with_record(OptimizeConfig, record, words))


AGAINST_THE_RECORD = [
    ("score.probe=/nowhere/other", r"`score\.probe` must be the folder of a finished probe"),
    ("score.objective=csd", r"`score\.objective` must be sds .* got 'csd'"),
    ("score.guidance_scale=3", r"`score\.guidance_scale` must be the 7 that .* got 3"),
    (
        "score.first_level=0.7",
        r"`score\.first_level` must be the probe's 0\.8 for score\.levels=probed, got 0\.7; "
        r"leave it out, or add score\.levels=given score\.probe=null",
    ),
    ("score.level_path=timesteps", r"`score\.level_path` must not be timesteps .*=probed"),
]


@pytest.mark.parametrize(("word", "told"), AGAINST_THE_RECORD)
def test_probed_levels_are_those_of_the_probe_and_objective_that_are_recorded(
    begun: Path, word: str, told: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        over_record(begun, word)
    shutil.rmtree(begun / CHECKPOINTS)  # as before it begins to distill
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        resuming.stored_config(begun, PROMPT, None, [word])


def test_a_record_and_what_agrees_with_it_need_no_probe(begun: Path) -> None:
    shutil.rmtree(begun / "sds")
    stored = configs.load(OptimizeConfig, str(begun / resuming.CONFIG))
    assert over_record(begun) == stored
    agreeing = ["score.levels=probed", "score.objective=sds", "score.first_level=0.8"]
    assert over_record(begun, *agreeing) == stored
    own = ["score.levels=given", "score.probe=null", "score.last_level=0.3"]
    assert over_record(begun, *own).score.last_level == 0.3


def test_another_probe_is_followed_over_a_record(begun: Path) -> None:
    other = probe_in(begun / "other", "sds", 5.0, last_level=0.5)
    found = over_record(begun, other).score
    assert (found.levels, found.probe) == ("probed", f"{begun}/other")
    assert (found.last_level, found.guidance_scale) == (0.5, 5)
    assert over_record(begun, other, "score.levels=auto").score == found


def test_a_run_that_goes_on_records_no_probe_that_it_does_not_follow(begun: Path) -> None:
    other = probe_in(begun / "other", "sds", 7.0, last_level=0.5)
    with pytest.raises(ValueError, match=r"`score\.last_level` must be the stored run's 0\.4"):
        resuming.stored_config(begun, PROMPT, None, [other])
    same = probe_in(begun / "same", "sds", 7.0)
    found = resuming.stored_config(begun, PROMPT, None, [same]).score
    assert (found.probe, found.last_level) == (f"{begun}/same", 0.4)


def test_who_asks_for_probed_levels_must_name_a_probe(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`score\.probe` must name a probe's folder"):
        with_probed_levels(load_with_record(OptimizeConfig, None, ["score.levels=probed"]))
    with pytest.raises(ValueError, match=r"`score\.probe` must name a probe's folder"):
        with_probed_levels(configs.load(OptimizeConfig, None, ["score.levels=probed"]))
    probe = probe_in(tmp_path / "csd", "csd", None)
    words = ["score.levels=probed", probe]
    found = with_probed_levels(load_with_record(OptimizeConfig, None, words))
    assert found == resolved(probe) and found.score.first_level == 0.8
    with pytest.raises(ValueError, match=r"`score\.first_level` must be left to the probe"):
        load_with_record(OptimizeConfig, None, [*words, "score.first_level=0.7"])


@pytest.mark.parametrize("command", ["optimize", "optimize --seeds 0,1", "diagnose"])
def test_commands_ask_the_probe_again(
    begun: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = begun / "score.yaml"
    stored = configs.load(OptimizeConfig, str(begun / resuming.CONFIG))
    record.write_text(configs.to_yaml({"score": configs.to_dict(stored)["score"]}))
    job, *options = command.split()
    words = [PROMPT, "--out", str(begun / "new"), "--config", str(record), "score.objective=csd"]
    assert main([job, *words, *options]) == 2
    assert "`score.objective` must be sds for score.levels=auto" in capsys.readouterr().err
