"""The loop of the priors' trainings: stopping, going on, damage and rates."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from embedded_training import loop, stage
from embedded_training.denoising import clip_batch, tokeniser
from tiny_training import TOKENS, caption_tokenizer, four_clips, tiny_denoising
from torch import Tensor, nn

from motiondistill.checkpoints import CHECKPOINTS, load_newest

RECIPE = loop.Recipe(steps=6, batch=2, rate=1e-2, seed=3, warm_up=2)


def equal(first: Any, second: Any) -> bool:
    """Whether two states hold the same values, tensors bit for bit."""
    match first:
        case Tensor():
            return torch.equal(first, second)
        case Mapping():
            return first.keys() == second.keys() and all(equal(first[k], second[k]) for k in first)
        case list() | tuple():
            return len(first) == len(second) and all(map(equal, first, second))
        case _:
            return bool(first == second)


@pytest.fixture
def run() -> Callable[..., tuple[bool, Any]]:
    """Goes on with a tiny training in a folder; whether it ended, and its state."""
    torch.use_deterministic_algorithms(True)
    tokenise, encoded = tokeniser(caption_tokenizer(), TOKENS), four_clips()

    def go_on(folder: Path, stop_at: int | None = None) -> tuple[bool, Any]:
        accelerator = loop.make_accelerator("cpu")
        training = loop.Training(tiny_denoising(), RECIPE, accelerator)

        def draw(generator: torch.Generator) -> Mapping[str, Tensor]:
            if training.step + 1 == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return clip_batch(encoded, RECIPE.batch, tokenise, generator)

        rhythm = stage.Rhythm(save_steps=2, look_steps=100)
        ended = stage.run_stage(training, draw, folder, rhythm, lambda *_: {"seen": 1.0})
        return ended, training.state()

    yield go_on
    torch.use_deterministic_algorithms(False)


def test_a_training_that_was_stopped_goes_on_bit_for_bit(
    run: Callable[..., tuple[bool, Any]], tmp_path: Path
) -> None:
    ended, whole = run(tmp_path / "whole")
    assert ended and whole["step"] == 6
    ended, half = run(tmp_path / "parts", stop_at=3)
    assert not ended and half["step"] == 3
    assert not equal(half["module"], whole["module"])
    ended, parts = run(tmp_path / "parts")
    assert ended and equal(parts, whole)
    lines = (tmp_path / "parts" / "figures.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert json.loads(lines[-1])["seen"] == 1.0
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "figures.jsonl").open()]
        for name in ("parts", "whole")
    ]
    assert losses[0] == losses[1]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    run: Callable[..., tuple[bool, Any]], tmp_path: Path
) -> None:
    _, whole = run(tmp_path)
    kept = sorted((tmp_path / CHECKPOINTS).iterdir())
    assert [path.stem for path in kept] == ["step_00000004", "step_00000006"]
    kept[1].write_bytes(kept[1].read_bytes()[:-7])
    assert load_newest(tmp_path / CHECKPOINTS)["step"] == 4
    ended, again = run(tmp_path)
    assert ended and equal(again, whole)


def test_another_recipe_is_refused(run: Callable[..., tuple[bool, Any]], tmp_path: Path) -> None:
    _, state = run(tmp_path)
    other = loop.Recipe(steps=6, batch=2, rate=2e-2, seed=3, warm_up=2)
    training = loop.Training(tiny_denoising(), other, loop.make_accelerator("cpu"))
    with pytest.raises(ValueError, match=r"`rate` must be 0\.01 as this training began, got 0\.02"):
        training.restore(state)


def test_a_loss_without_size_ends_the_training() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            return x / 0 * self.weight

    training = loop.Training(Broken(), RECIPE, loop.make_accelerator("cpu"))
    with pytest.raises(FloatingPointError, match=r"the loss of step 0 is inf \(seed 3\)"):
        list(loop.updates(training, lambda _: {"x": torch.ones(2)}))


def test_the_rate_warms_up_and_falls_to_a_fiftieth() -> None:
    recipe = loop.Recipe(steps=1000, batch=1, rate=1.0, seed=0)
    rates = [loop.rate_at(recipe, step) for step in range(1001)]
    assert rates[0] == pytest.approx(0.01) and max(rates) == pytest.approx(rates[99], rel=1e-2)
    assert rates[1000] == pytest.approx(0.02)
    assert rates[500] == pytest.approx(0.51)
