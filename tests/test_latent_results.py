"""What is told of free clips: how much they move, who moves in them, and the grid of all."""

import functools
import itertools
from pathlib import Path

import pytest
import torch
from small_problem import body, rendered, small_problem

from motiondistill.building.objects import make_settings
from motiondistill.data.parametric import parametric_motion
from motiondistill.engine.stages import Settings
from motiondistill.engine.starts import FitSettings, Problem
from motiondistill.metrics.video import motion_energy, temporal_flickering
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.randomness import seeded
from motiondistill.report.latent_grid import (
    BAND,
    FRAMES_WIDTH,
    WORDS_WIDTH,
    Block,
    grid,
    row_of_strip,
    write_grid,
    written,
)
from motiondistill.report.latent_results import fit_body, recognised
from motiondistill.report.media import read_image, save_strip
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.structures import Motion

RED, GREEN, BLUE = (torch.eye(3)[k][:, None, None] for k in range(3))
BYTE = 1 / 255
ROUNDING = 1e-3  # a mean of sixteen equal pixels is not always that pixel, and Adam tells signs


@functools.cache
def walk() -> tuple[Problem, Motion]:
    problem = small_problem(gaussian_videos(), pixels=32, frames=16)
    motion = parametric_motion("walk", "left", seeded(0), body().rest_joints, 8.0, 16)
    return problem, motion


def fit_settings(updates: int) -> Settings:
    return make_settings(OptimizeConfig(init=FitSettings(num_samples=1, num_steps=updates)))


def test_motion_energy_is_what_flickering_lacks_of_one() -> None:
    video = torch.rand(2, 5, 3, 4, 6, generator=seeded(0))
    energy = motion_energy(video)
    assert energy.shape == (2, 4)
    one = sum((video[1, 3, c] - video[1, 2, c]).abs().sum() for c in range(3)) / (3 * 4 * 6)
    torch.testing.assert_close(energy[1, 2], one)
    torch.testing.assert_close(energy[0].mean(), 1 - temporal_flickering(video[0]))
    assert motion_energy(video[:, :1].expand(-1, 5, -1, -1, -1)).abs().max() == 0


def test_a_walk_is_recognised_and_scored_by_the_prompts_action() -> None:
    problem, motion = walk()
    found = recognised(problem, motion, 0.5)
    assert (found["action"], found["asked"], found["misfit"]) == ("walk", "walk", 0.5)
    assert found["score"] == found["probabilities"]["walk"] > 0.5
    other = recognised(small_problem(gaussian_videos(), prompt="a person bows"), motion, 0.5)
    assert (other["action"], other["asked"]) == ("walk", "bow") and other["score"] < 0.5
    nothing = recognised(small_problem(gaussian_videos(), prompt="hello"), motion, 0.5)
    assert (nothing["asked"], nothing["score"]) == (None, None)


def test_the_body_is_fitted_to_larger_videos_at_the_problems_size() -> None:
    problem, motion = walk()
    video = rendered(problem, motion, torch.zeros(1))[0]
    large = video.repeat_interleave(4, -1).repeat_interleave(4, -2)
    (first, near), (second, same) = (
        fit_body(problem, fit_settings(3), clip) for clip in (video, large)
    )
    assert first.num_frames == 16 and near == pytest.approx(same, rel=ROUNDING)
    torch.testing.assert_close(first.rotations, second.rotations, atol=10 * ROUNDING, rtol=0)


@pytest.mark.slow
def test_the_fit_finds_the_motion_of_a_video_from_the_front() -> None:
    problem, motion = walk()
    video = rendered(problem, motion, torch.zeros(1))[0]
    before, _ = fit_body(problem, fit_settings(1), video)
    after, _ = fit_body(problem, fit_settings(150), video)
    theirs = body()(motion).joints
    errors = [
        (body()(found).joints - theirs)[..., :2].norm(dim=-1).mean() for found in (before, after)
    ]
    assert errors[1] < 0.06 < errors[0], "metres in the picture's plane"


def test_the_grid_has_a_block_for_each_prior_and_a_row_for_each_prompt(tmp_path: Path) -> None:
    wide, narrow = torch.ones(3, 8, 64), torch.ones(3, 16, 32)
    blocks = [
        Block("first", [("walks", RED * wide), ("runs", GREEN * wide)]),
        Block("none", []),
        Block("second", [("walks", BLUE * narrow)]),
    ]
    write_grid(tmp_path, blocks)
    image = read_image(tmp_path / "grid.png")
    low, high = FRAMES_WIDTH // 8, FRAMES_WIDTH // 2
    assert image.shape == (3, 2 * BAND + 2 * low + high, WORDS_WIDTH + FRAMES_WIDTH)
    frames = image[..., WORDS_WIDTH:]
    for top, height, colour in (
        (BAND, low, RED),
        (BAND + low, low, GREEN),
        (2 * BAND + 2 * low, high, BLUE),
    ):
        row = frames[:, top : top + height]
        assert (row - colour).abs().max() < BYTE
        words = image[:, top : top + height, :WORDS_WIDTH]
        assert words.amin() < 0.3 and words.mean() > 0.9, "black on white"
    torch.testing.assert_close(grid(blocks[:1]), image[:, : BAND + 2 * low], atol=BYTE, rtol=0)


def test_long_words_go_on_in_the_next_line() -> None:
    short, long = (written(words, 128, WORDS_WIDTH) for words in ("a man", "a man walks " * 3))
    bottoms = [int((image < 0.5).any(0).any(1).nonzero().max()) for image in (short, long)]
    assert bottoms[0] < 32 < bottoms[1]
    assert (long[..., -4:] == 1).all(), "nothing reaches the edge"


def test_figures_stand_small_and_grey_below_the_prompt() -> None:
    prompt, both = (written(words, 128, WORDS_WIDTH) for words in ("a man", "a man\nseen as walk"))
    below = int((prompt < 1).any(0).any(1).nonzero().max()) + 1
    torch.testing.assert_close(both[:, :below], prompt[:, :below])
    assert both[:, :below].amin() == 0 and 0.3 < both[:, below:].amin() < 0.4
    assert (prompt[:, below:] == 1).all()


@pytest.mark.parametrize(("rows", "columns"), [(480, 832), (480, 720), (8, 8)])
def test_rows_have_room_for_all_words(rows: int, columns: int) -> None:
    """However flat frames are, also below a long prompt; they stay as they are above white."""
    prompt = "a person does a cartwheel to the left"
    lines = (prompt, "motion energy 0.123", "seen as cartwheel", "cartwheel: 100 %", "yes, it is")
    frames = RED * torch.ones(3, rows, 8 * columns)
    row = round(rows * FRAMES_WIDTH / (8 * columns))
    inks, heights = [], []
    for count in range(1, len(lines) + 1):
        image = grid([Block("x", [("\n".join(lines[:count]), frames)])])[:, BAND:]
        inks.append(int((image[..., :WORDS_WIDTH] < 0.5).any(0).any(1).sum()))
        heights.append(image.shape[-2])
        shown, below = image[:, :row, WORDS_WIDTH:], image[:, row:, WORDS_WIDTH:]
        assert (shown - RED).abs().max() < BYTE and (below == 1).all()
        assert (image[:, -1:, :WORDS_WIDTH] == 1).all(), "no letter is cut"
    assert all(more - fewer >= 8 for fewer, more in itertools.pairwise(inks)), "each line is seen"
    assert heights[0] == max(row, 72) and heights[-1] > row


def test_a_row_of_a_strip_is_that_views(tmp_path: Path) -> None:
    videos = torch.rand(3, 4, 3, 128, 160, generator=seeded(0))
    save_strip(tmp_path / "strip.png", videos)
    row = row_of_strip(tmp_path / "strip.png", 1, 3)
    expected = torch.cat(list(videos[1]), -1)
    torch.testing.assert_close(row, expected, atol=BYTE, rtol=0)
