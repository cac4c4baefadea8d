"""The clips of the priors' trainings: their looks, shards and frames."""

from pathlib import Path

import pytest
import torch
from embedded_training.clips import Clips, Plan
from embedded_training.looks import random_look
from embedded_training.shards import stored
from torch import Tensor

from motiondistill.randomness import seeded
from motiondistill.render.appearance import PartColours, part_palette
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.structures import PART_NAMES


def test_looks_stay_around_the_default_and_limbs_apart() -> None:
    scene, palette = Scene(CpuRasterizer()), part_palette()
    pairs = [
        (PART_NAMES.index(name), PART_NAMES.index(name.replace("left", "right")))
        for name in PART_NAMES
        if name.startswith("left") and not name.endswith("collar")
    ]
    drawn = [random_look(scene, seeded(0, i)) for i in range(200)]
    assert random_look(scene, seeded(0, 7)).background == drawn[7].background
    palettes = []
    for look in drawn:
        assert isinstance(look.appearance, PartColours)
        palettes.append(look.appearance.palette)
        distance = [(palettes[-1][a] - palettes[-1][b]).abs().max() for a, b in pairs]
        assert min(distance) > 0.12
    stacked = torch.stack(palettes)
    assert (stacked - palette).abs().max() < 0.13 and (stacked[0] - stacked[1]).abs().max() > 0.01
    # A channel at 1 can only be darkened.
    torch.testing.assert_close(stacked.mean(0), palette, atol=0.03, rtol=0)
    grounds = torch.tensor([look.ground.colour for look in drawn if look.ground])
    torch.testing.assert_close(
        grounds.mean(0), torch.tensor(scene.ground.colour), atol=0.01, rtol=0
    )
    spine = [PART_NAMES.index(f"spine{level}") for level in (1, 2, 3)]
    assert all(torch.equal(p[spine[0]], p[spine[2]]) for p in palettes), "one shirt"


def test_pieces_are_made_once_and_again_where_damaged(tmp_path: Path) -> None:
    path, calls = tmp_path / "a" / "piece.safetensors", []

    def make() -> dict[str, Tensor]:
        calls.append(1)
        return {"x": torch.arange(3)}

    for _ in range(2):
        assert torch.equal(stored(path, {"seed": 1}, make)["x"], torch.arange(3))
    assert len(calls) == 1
    path.write_bytes(path.read_bytes()[:-3])
    assert torch.equal(stored(path, {"seed": 1}, make)["x"], torch.arange(3))
    assert len(calls) == 2
    with pytest.raises(ValueError, match=r"must have been made with seed=2, got 1; give that"):
        stored(path, {"seed": 2}, make)


def test_frames_come_from_the_right_shard() -> None:
    plan = Plan(5, 0, 8, "none", per_shard=2)
    numbered = torch.arange(5 * 4).view(5, 4, 1, 1, 1).expand(5, 4, 3, 8, 8).to(torch.uint8)
    clips = Clips(plan, numbered.split(2), (("walk", "right"),) * 5, (0, 1, 2, 3, 4))
    clip, frame = torch.tensor([0, 3, 4]), torch.tensor([1, 0, 3])
    assert clips.frames(clip, frame)[:, 0, 0, 0].tolist() == [1, 12, 19]
    assert clips.shard(1).views == (2, 3) and clips.shard(2).views == (4,)
