"""The figures show every prior and prompt, their page keeps what other scripts wrote."""

import shlex
from pathlib import Path
from typing import Any

import fig1
import fig3
import fig4
import pytest
from comparison import runs
from paper_figures import sheets
from quick_runs import QuickOptimizer

from motiondistill.body.skinning import SkinnedBody
from motiondistill.data.parametric import PARAMETRIC_ACTIONS
from motiondistill.report.latent_grid import BAND, FRAMES_WIDTH, WORDS_WIDTH
from motiondistill.report.media import read_image

PAGE = Path("results/figures.md")


@pytest.fixture
def quick(low_body: SkinnedBody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QuickOptimizer:
    """Runs show what they are asked for, as far as there is a parametric motion of it."""

    def shown(action: str, _: Any) -> str:
        return action if action in PARAMETRIC_ACTIONS else "stand"

    monkeypatch.chdir(tmp_path)
    optimizer = QuickOptimizer(low_body, shown)
    monkeypatch.setattr(runs, "motiondistill", optimizer)
    monkeypatch.setattr(sheets, "make_body", lambda config: low_body)
    return optimizer


def test_sections_stand_in_order_and_stay() -> None:
    page = sheets.with_section("", 3, "three\n")
    page = sheets.with_section(page, 1, "one\n")
    page = sheets.with_section(page, 4, "four\n")
    assert sheets.with_section(page, 3, "three\n") == page
    page = sheets.with_section(page, 3, "other\n")
    assert [line for line in page.splitlines() if line in ("one", "three", "other", "four")] == [
        "one",
        "other",
        "four",
    ]
    assert page.count("## Figure") == 3 and page.startswith(sheets.HEAD)


def test_the_command_tells_every_option_that_is_not_usual() -> None:
    usual = sheets.options_of("", "runs/fig1", [])
    assert sheets.command("fig1.py", usual) == "experiments/fig1.py"
    words = ["--priors", "embedded", "gaussian", "--out", "my runs", "--seed", "3"]
    words += ["--config", "paper", "--set", "score.num_steps=1"]
    told = sheets.command("fig4.py", sheets.options_of("", "runs/fig4", words, config=True))
    assert told == f"experiments/{shlex.join(['fig4.py', *words])}"


def test_figures_of_distilled_motions(quick: QuickOptimizer) -> None:
    fig1.main([])
    assert len(quick.calls) == 1
    fig1.main([])
    assert len(quick.calls) == 1, "what is finished is not made again"
    fig3.main(["--priors", "embedded", "gaussian", "--set", "score.num_steps=9"])
    assert len(quick.calls) == 1 + 2 * 3
    assert sum("prior.model=gaussian" in call for call in quick.calls) == 3
    # One view of a strip is 8 times as wide as high, as it is on the sheet.
    row = round(32 * FRAMES_WIDTH / 256)
    for name, rows, bands in (("fig1", 1, 1), ("fig3", 6, 2)):
        image = read_image(PAGE.with_name(f"{name}.png"))
        assert image.shape == (3, rows * row + bands * BAND, WORDS_WIDTH + FRAMES_WIDTH)
    text = PAGE.read_text(encoding="utf-8")
    assert text.index("![Figure 1](fig1.png)") < text.index("![Figure 3](fig3.png)")
    command = "experiments/fig3.py --priors embedded gaussian --set score.num_steps=9"
    assert f"Command: `python {command}`; seeds 0;" in text


@pytest.mark.slow
def test_the_figure_of_free_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = ["camera.size=[16,16]", "run.frames=3", "run.threads=1", "score.num_steps=1"]
    words = ["--priors", "gaussian", "--set", *tiny, "score.views=1", "latents.fit_steps=1"]
    for _ in range(2):
        fig4.main(words)
    image = read_image(PAGE.with_name("fig4.png"))
    assert image.shape == (3, 2 * round(FRAMES_WIDTH / 3) + BAND, WORDS_WIDTH + FRAMES_WIDTH)
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("| gaussian | a person") == 2
    assert "fig4.py --priors gaussian --set camera.size=[16,16]" in text
