"""The comparisons ask for what they say and run nothing twice; pages follow from the runs."""

import math
from collections.abc import Sequence
from pathlib import Path

import distilled
import leak
import objectives
import pytest
import torch
from comparison import asked, pages, reasons, runs
from comparison.distilled_page import following, signed
from comparison.judged import Judged, Plausibility, judge, medians, merit
from comparison.real_clips import meets, real_clips, shares
from comparison.runs import Variant, carry_out, planned
from prior_evidence.groups import SAMPLES, Group
from prior_evidence.judged import mistakes
from prior_evidence.samples import Key, Sampling
from quick_runs import QuickOptimizer
from small_problem import small_problem

from motiondistill.body.skinning import SkinnedBody
from motiondistill.building.objects import make_settings
from motiondistill.config import load
from motiondistill.data.captions import ACTIONS
from motiondistill.data.dataset import ActionDataset, action_dataset
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.metrics.recogniser import load_recogniser
from motiondistill.metrics.signatures import SIGNATURES
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.randomness import seeded
from motiondistill.report.media import read_image
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.structures import Motion

DEFAULT = Variant("default")


@pytest.fixture
def quick(low_body: SkinnedBody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QuickOptimizer:
    """Runs show what they are asked for, if the prior has learned anything."""

    def shown(action: str, config: OptimizeConfig) -> str:
        knows = config.prior.weights == "pretrained" and action in PARAMETRIC_ACTIONS
        return action if knows else "stand"

    monkeypatch.chdir(tmp_path)
    optimizer = QuickOptimizer(low_body, shown)
    monkeypatch.setattr(runs, "motiondistill", optimizer)
    for module in (objectives, leak):
        monkeypatch.setattr(module, "make_body", lambda config: low_body)
    return optimizer


def dataset_of(body: SkinnedBody) -> ActionDataset:
    return action_dataset([], body.rest_joints, 8.0, 16)


def test_development_prompts_are_not_reported() -> None:
    assert not {*asked.DEVELOPMENT} & {*asked.REPORTED, *asked.RARE}
    assert {*asked.COMPARED} <= {*asked.REPORTED} <= {*ACTIONS}
    assert len(set(asked.REPORTED)) == 10 and len(set(asked.COMPARED)) == 6
    assert not {*asked.RARE} & {*asked.REPORTED}
    assert {*SIGNATURES} <= {runs.prompt_of(action) for action in asked.REPORTED}


@pytest.mark.slow
def test_every_variant_can_be_configured_and_differs() -> None:
    every = [variant for group in objectives.SCREENED.values() for variant in group]
    every += [variant for action in leak.told_actions()[:2] for variant in leak.variants(action)]
    loaded = [load(OptimizeConfig, None, list(variant.settings)) for variant in every]
    for config in loaded:
        make_settings(config)
    assert [config == OptimizeConfig() for config in loaded] == [
        not variant.settings for variant in every
    ]
    names = [variant.name for group in objectives.SCREENED.values() for variant in group]
    assert len(names) == len(set(names))


@pytest.mark.slow
def test_runs_are_made_once(quick: QuickOptimizer, tmp_path: Path) -> None:
    first = carry_out(planned([DEFAULT], ["walk", "squat"], [0, 1], tmp_path))
    assert [(run.action, run.seed) for run in first] == [
        ("walk", 0),
        ("walk", 1),
        ("squat", 0),
        ("squat", 1),
    ]
    assert carry_out(planned([DEFAULT], ["walk", "squat"], [0, 1], tmp_path)) == first
    assert len(quick.calls) == 4
    with pytest.raises(ValueError, match=r"`score\.views` must be the stored run's 4, got 2"):
        carry_out(planned([DEFAULT], ["walk"], [0], tmp_path, ["score.views=2"]))
    carry_out(planned([DEFAULT], ["walk"], [0], tmp_path, ["score.num_steps=160"]))
    assert len(quick.calls) == 5 and "--resume" in quick.calls[-1], "more updates: it goes on"
    (first[3].folder / "strip.png").unlink()
    carry_out(planned([DEFAULT], ["squat"], [1], tmp_path))
    assert len(quick.calls) == 6, "its results are not all there"


def test_what_is_recognised_ranks(quick: QuickOptimizer, tmp_path: Path) -> None:
    weak = Variant("weak", ("prior.weights=random",))
    made = carry_out(planned([DEFAULT, weak], ["jumping jacks", "kick"], [0], tmp_path))
    judged = judge(made, quick.body, load_recogniser())
    assert [each.right for each in judged] == [True, True, False, False]
    assert merit(judged[:2]) > merit(judged[2:])
    assert list(objectives.by_variant(judged)) == [DEFAULT, weak]
    assert list(objectives.by_variant(judged[::-1])) == [DEFAULT, weak]
    assert mistakes(judged[:2]) == "none" and mistakes(judged[2:]).split()[-1].isdigit()
    standing = judged[2].plausible
    assert standing.speed < 0.2 * judged[0].plausible.speed


def test_medians_leave_out_what_is_no_number() -> None:
    every = [Plausibility(value, 2.0, 3.0, 4.0) for value in (1.0, math.nan, 5.0)]
    assert medians(every) == Plausibility(3.0, 2.0, 3.0, 4.0)
    assert math.isnan(medians(every[1:2]).sliding)


def test_bars_are_twice_the_real_ones_and_half_for_speed() -> None:
    real = Plausibility(0.2, 0.01, 30.0, 0.5)
    assert meets(Plausibility(0.4, 0.02, 60.0, 0.25), real) == (True,) * 4
    assert meets(Plausibility(0.41, 0.021, 61.0, 0.24), real) == (False,) * 4
    assert meets(Plausibility(math.nan, 0.0, 0.0, 1.01), real) == (False, True, True, False)
    level = Plausibility(0.2, 0.0, 30.0, 0.5)  # a floor is never met to the last bit
    assert meets(Plausibility(0.2, 0.0019, 30.0, 0.5), level) == (True,) * 4
    assert shares([(True, False, True, True)] * 2) == ("2 of 2", "0 of 2", "2 of 2", "2 of 2")


def test_real_clips_say_whether_they_were_recorded(low_body: SkinnedBody) -> None:
    found = real_clips(dataset_of(low_body), "walk", low_body)
    assert found is not None and found.count == 32 and not found.recorded
    assert found.figures.speed > 0.2
    assert real_clips(dataset_of(low_body), "cartwheel", low_body) is None


def test_reasons_follow_the_rule() -> None:
    yes, no = [True, True, False], [False, False, True]
    assert reasons.reason({"truth": no, "trained": yes}) == "representation"
    assert reasons.reason({"truth": no, "trained": no}) == "representation"
    assert reasons.reason({"truth": yes, "trained": no}) == "prior"
    assert reasons.reason({"truth": yes, "trained": yes}) == "optimisation"
    assert reasons.reason({"trained": no}) == "prior"


def test_controls_ask_for_something_else(quick: QuickOptimizer, tmp_path: Path) -> None:
    other = following(["walk", "run", "jump"])
    assert other == {"walk": "run", "run": "jump", "jump": "walk"}
    made = carry_out(planned([DEFAULT], ["jumping jacks", "squat", "kick"], [0, 1], tmp_path))
    judged: Sequence[Judged] = judge(made, quick.body, load_recogniser())
    assert signed(judged, str) == [True] * 4, "a kick has no signature"
    assert signed(judged, following(list(SIGNATURES)).__getitem__) == [False] * 4


@pytest.mark.slow
def test_the_best_variants_are_compared(
    quick: QuickOptimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objectives, "COMPARED", ("walk", "squat"))
    quick.shown = lambda action, config: action if config.score.views > 4 else "stand"
    weak = [Variant("weak", ("prior.weights=random",))]
    good = [Variant(f"good {k}", (f"score.views={k}",)) for k in (5, 6, 7, 8)]
    screened = {"objective": (objectives.DEFAULT, *weak), "start": tuple(good)}
    monkeypatch.setattr(objectives, "SCREENED", screened)
    objectives.main(["--seeds", "0", "--part", "1/2"])
    start, weak_run = 1, 1
    assert len(quick.calls) == start + weak_run + 5 and not objectives.PAGE_FILE.exists()
    objectives.main(["--seeds", "0", "--part", "2/2"])
    screen = 2 * (start + weak_run + 5)
    assert len(quick.calls) == screen + start + 6, "the best four, default and shorter, one prompt"
    assert not objectives.PAGE_FILE.exists()
    objectives.main(["--seeds", "0"])
    compared = 2 * (start + 6)
    assert len(quick.calls) == screen + compared
    starts = [call for call in quick.calls if "score.num_steps=0" in call]
    assert len(starts) == 4 and not any("score.views=5" in call for call in starts)
    text = objectives.PAGE_FILE.read_text(encoding="utf-8")
    best = text.split("## Screening")[0]
    assert "weak" not in best and best.count("| good ") == 4
    assert "**Better than the default: good 5, good 6, good 7, good 8. As many " in best
    assert "are recognised with shorter.**" in best, "neither is"
    assert text.count("![](objectives/") == 6
    for name in ("default", "good-5"):
        assert (objectives.PAGE_FILE.with_suffix("") / f"{name}.png").stat().st_size > 500
    objectives.main(["--seeds", "0", "--image", "gaussian"])
    assert len(quick.calls) == screen + compared + 2 * 2, "the image prior alone, and both"
    text = objectives.PAGE_FILE.read_text(encoding="utf-8")
    assert "| image prior | `prior.model=gaussian " in text
    assert "| both priors | `image_prior.model=gaussian` |" in text


@pytest.mark.slow
def test_the_leak_is_told_by_cells(quick: QuickOptimizer, monkeypatch: pytest.MonkeyPatch) -> None:
    leaking = QuickOptimizer(
        quick.body,
        lambda action, config: action if config.field.statistics == "action" else "stand",
    )
    monkeypatch.setattr(runs, "motiondistill", leaking)
    leak.main(["--actions", "squat", "jumping jacks", "--seeds", "0", "1"])
    assert len(leaking.calls) == 2 * 3 * (1 + 2 + 2), "a pose that stays is made once"
    text = leak.PAGE_FILE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| random weights |")]
    assert "0 %" in rows[0].split("|")[2] and "100 %" in rows[0].split("|")[4]
    assert text.count("![](leak/") == 9
    assert "`python experiments/leak.py --seeds 0 1 --actions squat 'jumping jacks'`" in text
    known = [call for call in leaking.calls if "field.action=squat" in call]
    assert all("a person squats" in call for call in known)


def true_group(body: SkinnedBody, key: Key) -> Group:
    """Three clips that show the action, but for samples of a squat, which stand."""
    kind, action, _ = key
    done = "stand" if (kind, action) == ("trained", "squat") else action
    motion = Motion.stack(
        [
            parametric_motion(done, "right", seeded(seed), body.rest_joints, 8.0, 16)
            for seed in range(SAMPLES)
        ]
    )
    videos = torch.zeros(SAMPLES, 16, 3, 8, 8)
    return Group(kind, action, "right", "", videos, motion, body(motion).joints)


@pytest.mark.slow
def test_the_page_of_distilled_motions(
    quick: QuickOptimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = QuickOptimizer(
        quick.body,
        lambda action, config: (
            "stand" if config.prior.weights == "random" or action in ("squat", "bow") else action
        ),
    )
    monkeypatch.setattr(runs, "motiondistill", failing)
    problem = small_problem(gaussian_videos())
    sampling = Sampling(problem, make_settings(OptimizeConfig()), dataset_of(quick.body))
    monkeypatch.setattr(distilled, "sampling_of", lambda *_: sampling)
    monkeypatch.setattr(
        reasons, "stored_group", lambda out, prior, sampling, key: true_group(quick.body, key)
    )
    few = ["--actions", "walk", "jumping jacks", "squat", "bow", "--seeds", "3", "4"]
    few += ["--set", "score.views=3"]
    distilled.main([*few, "--only", "random"])
    # Random weights answer for the common prompts and the first seed alone.
    assert len(failing.calls) == 3
    distilled.main(few)
    # Of the three that are timed two are among the chosen.
    assert len(failing.calls) == 4 * 2 + 3 + 2
    text = Path("results/distilled.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    row = next(line for line in lines if line.startswith("| **common prompts** |"))
    assert "67 %" in row and "4 of 6" in row and "1.5, 1.5" in row
    control = next(line for line in lines if line.startswith("| control: random weights |"))
    assert control.split("|")[2].strip().startswith("0 %") and "0 of 3" in control
    assert [
        line for line in lines if line.startswith("| a person squats |") and "| prior |" in line
    ]
    assert [line for line in lines if line.startswith("| 2 runs, one by one |") and "1.5" in line]
    assert [line for line in lines if "| 32 | 0 of 2 |" in line and "| optimisation |" in line]
    chosen = "--actions walk 'jumping jacks' squat bow --set score.views=3"
    assert f"Command: `python experiments/distilled.py {chosen}`; seeds 3, 4;" in lines
    order = [line for line in lines if line.startswith("a person ") and line.endswith(":")]
    assert order[0].startswith("a person squats, 0 of 2")
    assert text.count("![](distilled/") == 4 + 3
    shown = read_image(Path("results/distilled/readme.png"))
    one = read_image(next(Path("runs/distilled/pretrained").glob("*/strip.png")))
    # Walk, jumping jacks and squat, a row each of the view from the front.
    assert shown.shape[-2] == 3 * (one.shape[-2] // pages.STRIP_ROWS)


@pytest.mark.slow
def test_a_real_run_is_made_and_read(tmp_path: Path, low_body: SkinnedBody) -> None:
    tiny = ["prior.model=gaussian", "camera.size=[16,16]", "run.frames=5", "run.threads=1"]
    still = Variant("still", leak.MOVED_BY[leak.NOTHING])
    moved = Variant("moved", ("init.num_steps=0", "score.num_steps=1"))
    made = [
        *carry_out(planned([still, moved], ["walk"], [0], tmp_path, tiny)),
        *carry_out(planned([still, moved], ["walk"], [0], tmp_path, tiny)),
    ]
    judged = judge(made, low_body, load_recogniser())
    assert judged[0].plausible.speed == 0 < judged[1].plausible.speed
    assert judged[0].found == judged[2].found
    assert len([*tmp_path.glob("*/*/metrics.json")]) == 2
