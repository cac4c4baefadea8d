"""The page of the study of rare actions follows from runs, probes and samples."""

import json
import shlex
from pathlib import Path
from typing import Any

import long_tail
import pytest
import torch
from comparison import runs
from comparison.runs import prompt_of
from long_tail_parts import measures
from long_tail_parts.design import ACTIONS, COUNTS, FILLERS, square
from long_tail_parts.page import PAGE_FILE
from PIL import Image
from prior_evidence.groups import SAMPLES, Group
from prior_evidence.samples import Key, Sampling
from quick_runs import QuickOptimizer
from small_problem import small_problem

from motiondistill.body.skinning import SkinnedBody
from motiondistill.bookkeeping.probe_files import SUMMARY
from motiondistill.building.objects import make_settings
from motiondistill.config import load
from motiondistill.data.dataset import action_dataset
from motiondistill.data.parametric import parametric_motion
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.randomness import seeded
from motiondistill.report.latent_grid import BAND
from motiondistill.schema.jobs import OptimizeConfig, ProbeConfig
from motiondistill.structures import Motion

PLACES = {
    model: Path(f"seed-{model.seed}/row-{model.row}") for seed in (0, 1) for model in square(seed)
}


def count_of(pipeline: str, action: str) -> int:
    """How often the model of this folder saw the action."""
    return next(m.count(action) for m, place in PLACES.items() if place == Path(pipeline).parent)


def group_of(body: SkinnedBody, pipeline: str, key: Key) -> Group:
    """Samples that show what they should, if the model saw it; true clips always do."""
    kind, action, _ = key
    knows = kind == "truth" or count_of(pipeline, action) >= 16
    motion = Motion.stack(
        [
            parametric_motion(
                action if knows else "stand", "right", seeded(seed), body.rest_joints, 8.0, 16
            )
            for seed in range(SAMPLES)
        ]
    )
    return Group(
        kind, action, "right", "", torch.zeros(SAMPLES, 16, 3, 32, 32), motion, body(motion).joints
    )


class QuickProbe:
    """Stands for `motiondistill probe`: the more often an action was seen, the surer it is."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, arguments: list[str]) -> int:
        self.calls.append(arguments)
        job, _, words, _, folder, *settings = arguments
        assert job == "probe"
        config = load(ProbeConfig, None, settings)
        prompts = Path(words).read_text(encoding="utf-8").splitlines()
        assert prompts == [prompt_of(action) for action in (*ACTIONS, *FILLERS)]
        rows = [
            {"prompt": prompt_of(a), "auc": {"value": 0.5 + count_of(config.prior.model, a) / 600}}
            for a in ACTIONS
        ] + [{"prompt": prompt_of(action), "auc": {"value": 1.0}} for action in FILLERS]
        pairs = {"kinds": {measures.KIND: {"by_prompt": rows}}}
        found = {"finished": True, "prior": {}, "pairs": pairs, "gradients": None}
        Path(folder).mkdir(exist_ok=True)
        (Path(folder) / SUMMARY).write_text(json.dumps(found))
        return 0


@pytest.fixture
def quick(
    low_body: SkinnedBody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[QuickOptimizer, QuickProbe]:
    """Models know what they saw 16 times, and can be distilled from what they saw 64 times."""

    def shown(action: str, config: OptimizeConfig) -> str:
        return action if count_of(config.prior.model, action) >= 64 else "stand"

    problem = small_problem(gaussian_videos(), frames=16)
    dataset = action_dataset([], low_body.rest_joints, 8.0, 16)
    sampling = Sampling(problem, make_settings(OptimizeConfig()), dataset)

    def stored_group(out: Path, prior: str, sampling: Any, key: Key) -> Group:
        return group_of(low_body, prior, key)

    optimizer, probe = QuickOptimizer(low_body, shown), QuickProbe()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "motiondistill", optimizer)
    monkeypatch.setattr(measures, "motiondistill", probe)
    monkeypatch.setattr(measures, "sampling_of", lambda *_: sampling)
    monkeypatch.setattr(measures, "stored_group", stored_group)
    monkeypatch.setattr(
        long_tail, "trained", lambda models, *_: {model: PLACES[model] for model in models}
    )
    return optimizer, probe


@pytest.mark.slow
def test_the_page_tells_what_was_measured(quick: tuple[QuickOptimizer, QuickProbe]) -> None:
    optimizer, probe = quick
    long_tail.main(["--part", "2/2", "--runs", "0"])
    assert len(optimizer.calls) == 15 and not PAGE_FILE.exists()
    long_tail.main(["--only", "0-3", "--runs", "0"])
    assert len(optimizer.calls) == 18 and not PAGE_FILE.exists()
    long_tail.main(["--runs", "0"])
    assert len(optimizer.calls) == 30, "nothing is made twice"
    # The probe itself knows what it has asked, and refuses other settings.
    assert len(probe.calls) == 5 + 1 + 10
    assert all("score.num_steps=60" in call for call in optimizer.calls)
    text = PAGE_FILE.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert "is **supported**: common minus rare is +1.00" in text
    assert "The forward probe **tells** which prompts distil well" in text
    row = [next(line for line in lines if line.startswith(f"| {count} |")) for count in COUNTS]
    assert [line.split("|")[4].split()[0] for line in row] == ["0.00"] * 2 + ["1.00"] * 3
    assert [line.split("|")[5].split()[0] for line in row] == ["0.00"] * 3 + ["1.00"] * 2
    assert [line.split("|")[3].split()[0] for line in row] == [
        "0.50",
        "0.51",
        "0.53",
        "0.61",
        "0.93",
    ]
    assert "Command: `python experiments/long_tail.py --runs 0`; seeds 0;" in lines
    assert "| 0-3 | 64: 0.61, 1.00, 1.00 | 256: 0.93, 1.00, 1.00 | 0: 0.50, 0.00, 0.00 |" in lines
    assert "100 % (70 to 100 %) of rendered true clips" in text
    for name in ("squat", "jumping-jacks", "raise-both-arms"):
        for sheet in (name, f"distilled-{name}"):
            assert f"![](long_tail/{sheet}.png)" in text
            assert (PAGE_FILE.with_suffix("") / f"{sheet}.png").stat().st_size > 1000
    assert "by the seed of the distillations" not in text


@pytest.mark.slow
def test_every_distilled_motion_is_shown_and_seeds_are_told_apart(
    quick: tuple[QuickOptimizer, QuickProbe],
) -> None:
    optimizer, _ = quick
    heights = []
    for runs_asked in (["0"], ["0", "1"]):
        long_tail.main(["--seeds", "0", "--runs", *runs_asked])
        with Image.open(PAGE_FILE.with_suffix("") / "distilled-squat.png") as image:
            heights.append(image.height)
    assert len(optimizer.calls) == 30
    assert heights[1] - BAND == 2 * (heights[0] - BAND), "a row for each of five counts and run"
    text = PAGE_FILE.read_text(encoding="utf-8")
    assert "of 3 samples and 2 distilled motions a cell" in text
    assert (
        "common actions by the seed of the distillations: 1.00 of seed 0, 1.00 of seed 1." in text
    )


def test_a_model_that_is_not_in_the_squares_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        long_tail.parse(["--only", "2-0"])
    assert "--only must be among 0-0, 0-1," in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--seeds 0 --part 2/2", "got 2/2 of seeds 0; take fewer shares, or name another"),
        ("--part 1/2 --only 1-0", "got 1/2 of seeds 0 1 and --only 1-0; take fewer"),
    ],
)
def test_a_share_without_models_is_refused(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        long_tail.parse(words.split())
    assert f"--part must be a share with models to make, {told}" in capsys.readouterr().err


def test_the_command_tells_every_option_that_is_not_usual() -> None:
    assert long_tail.command(long_tail.parse([])) == "experiments/long_tail.py"
    words = ["--out", "my runs", "--seeds", "0", "--base-steps", "9", "--steps", "8"]
    words += ["--runs", "2", "3", "--groups", "2", "--set", "score.num_steps=1"]
    told = long_tail.command(long_tail.parse([*words, "--part", "1/2"]))
    assert told == f"experiments/{shlex.join(['long_tail.py', *words])}"
    assert vars(long_tail.parse(shlex.split(told)[1:])) == vars(long_tail.parse(words))
