"""The study of rare actions: its squares, its sets and trainings."""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from embedded_training.encoded import Encoded
from hypothesis import given
from hypothesis import strategies as st
from long_tail_parts import training
from long_tail_parts.design import ACTIONS, CLIPS, COUNTS, FILLERS, Model, square
from long_tail_parts.sets import pool_sizes, training_set
from long_tail_parts.training import School, Schooling

from motiondistill.body.skinning import SkinnedBody
from motiondistill.metrics.recogniser import ACTIONS as RECOGNISED
from motiondistill.priors.loading import EMBEDDED_PRIOR

TINY = Schooling(base_steps=2, steps=4, batch=2, width=16, layers=1, clips=6)


@given(st.integers(0, 1000))
def test_every_action_has_every_count_once_and_no_model_one_twice(seed: int) -> None:
    models = square(seed)
    for place in range(len(ACTIONS)):
        assert {model.counts[place] for model in models} == {*COUNTS}
    assert len(models) == len(COUNTS)
    assert all(len({*model.counts}) == len(ACTIONS) for model in models)


def test_the_squares_of_four_seeds_are_orthogonal() -> None:
    """No two of their cells hold the same pair of counts."""
    for first in range(4):
        for second in range(first):
            pairs = [
                pair
                for a, b in zip(square(first), square(second), strict=True)
                for pair in zip(a.counts, b.counts, strict=True)
            ]
            assert len({*pairs}) == len(pairs)


def test_actions_can_be_recognised_and_are_no_fillers() -> None:
    assert {*ACTIONS} <= {*RECOGNISED}
    assert not {*ACTIONS} & {*FILLERS}
    largest = sum(sorted(COUNTS)[-len(ACTIONS) :])
    assert CLIPS > largest, "there is room for fillers in every set"


def numbered_pools() -> dict[str, Encoded]:
    """Clips that are known again by one number each."""
    pools, start = {}, 0
    for action, count in pool_sizes(CLIPS).items():
        numbers = torch.arange(start, start + count).view(-1, 1, 1, 1, 1)
        pools[action] = Encoded(numbers.float(), ((action, "right"),) * count, (0,) * count)
        start += count
    return pools


def test_sets_differ_in_counts_alone() -> None:
    """Of any two sets, the clips of an action in the one hold those in the other."""
    pools = numbered_pools()
    found = []
    for model in (None, *square(0), *square(1)):
        clips = training_set(pools, model, CLIPS)
        of: dict[str, set[int]] = {}
        for (action, _), latent in zip(clips.labels, clips.latents, strict=True):
            of.setdefault(action, set()).add(int(latent))
        assert sum(map(len, of.values())) == len(clips) == CLIPS, "no clip comes twice"
        counts = Counter(action for action, _ in clips.labels)
        assert [counts[action] for action in ACTIONS] == list(model.counts if model else [0] * 3)
        fillers = [counts[action] for action in FILLERS]
        assert max(fillers) - min(fillers) <= 1
        found.append(of)
    for first in found:
        for second in found:
            for action in (*ACTIONS, *FILLERS):
                one, other = first.get(action, set()), second.get(action, set())
                assert one <= other or other <= one


@pytest.mark.slow
def test_a_training_that_was_stopped_ends_like_one_that_was_not(
    low_body: SkinnedBody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only the denoiser learns: codec and text encoder are the embedded prior's."""
    monkeypatch.setattr(training, "VALIDATION_CLIPS", 1)
    monkeypatch.setattr(training, "write_video_samples", lambda *_: None)
    model, whole, parts = Model(0, 0, (1, 0, 3)), tmp_path / "whole", tmp_path / "parts"
    monkeypatch.chdir(tmp_path)
    school = School(Path("study"), 0, TINY, low_body)
    assert school.train(None)
    shutil.copytree("study", "begun")
    assert school.train(model)
    Path("study").rename(whole)
    Path("begun").rename("study")

    draws, plain = [0], training.clip_batch

    def stopping(*arguments: Any) -> Any:
        draws[0] += 1
        if draws[0] == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(*arguments)

    monkeypatch.setattr(training, "clip_batch", stopping)
    assert not school.train(model)
    assert School(Path("study"), 0, TINY, low_body).train(model)
    assert draws[0] == 4, "it went on where it was"
    Path("study").rename(parts)

    def weights(folder: Path, part: str) -> bytes:
        return next((folder / part).glob("*.safetensors")).read_bytes()

    ended = [folder / "seed-0" / "row-0" / "pipeline" for folder in (whole, parts)]
    assert weights(ended[0], "transformer") == weights(ended[1], "transformer")
    base = whole / "seed-0" / "base" / "pipeline"
    assert weights(ended[0], "transformer") != weights(base, "transformer")
    for part in ("vae", "text_encoder"):
        assert weights(ended[0], part) == weights(EMBEDDED_PRIOR, part)
