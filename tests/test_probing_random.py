"""Networks with random weights know nothing, though they read every word and see every clip."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import pytest
import torch
from jaxtyping import Float
from small_problem import body
from torch import Tensor

from motiondistill.cameras import Orbit
from motiondistill.data.parametric import parametric_motion
from motiondistill.priors.base import Conditioning, Prior, VideoFormat
from motiondistill.probing.asking import PairRow, pair_rows
from motiondistill.probing.ranking import Ranking, ranked, wins
from motiondistill.probing.settings import ProbeSettings
from motiondistill.probing.study import GIVEN, Clip, Study
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene

PROMPTS = {
    "sit": "a person sits down",
    "punch": "a person punches with the right hand",
    "kick": "a person kicks with the right leg",
    "wave": "a person waves with the right hand",
    "walk": "a person walks",
    "bow": "a person bows",
}
PIXELS, FRAMES, WORDS, WIDTH = 12, 6, 16, 64
NATIVE = VideoFormat(fps=4.0, frames=FRAMES, height=PIXELS, width=PIXELS)
SIZE = 3 * FRAMES * PIXELS**2
SIDES = torch.tensor([0.0, math.pi / 2])
NETWORKS, CLIPS = 12, 3
WRONGLY = 1  # of so many, intervals of 95 % may miss
KINDS = ("wrong action", "wrong view", "reversed", "mirrored")


@final
@dataclass(frozen=True)
class Random(Prior):
    """Random weights over pixels and words; sentences differ by their words."""

    hidden: Float[Tensor, "inputs hidden"]
    out: Float[Tensor, "hidden size"]

    @property
    def format(self) -> VideoFormat:
        return NATIVE

    @property
    def sigma_max(self) -> float:
        return 10.0

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        own = [torch.randn(WORDS, generator=seeded(0, 0, prompt)) for prompt in prompts]
        return Conditioning({"words": torch.stack(own)})

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        return (video.transpose(1, 2) - 0.5) / 0.3

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        return (latents * 0.3 + 0.5).transpose(1, 2).clamp(0, 1)

    def snap(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return sigma

    def denoise(
        self,
        x_sigma: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        spread = (1 + sigma[:, None] ** 2).sqrt()
        seen = torch.cat([x_sigma.flatten(1) / spread, conditioning.tensors["words"]], 1)
        return ((seen @ self.hidden).tanh() @ self.out).view_as(x_sigma)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        return 3, frames, height, width

    def sampling_sigmas(
        self, num_steps: int, latent_shape: tuple[int, int, int, int]
    ) -> Float[Tensor, " steps_and_one"]:
        return torch.linspace(self.sigma_max, 0, num_steps + 1)


def random(seed: int) -> Random:
    """As many of its words as of its pixels decide what a hidden unit is."""
    generator = seeded(seed, 0, "weights")
    hidden = torch.randn(SIZE + WORDS, WIDTH, generator=generator)
    hidden[:SIZE] *= SIZE**-0.5
    hidden[SIZE:] *= WORDS**-0.5
    return Random(hidden, torch.randn(WIDTH, SIZE, generator=generator) * WIDTH**-0.5)


def clip(action: str, seed: int) -> Clip:
    joints = body().rest_joints
    motion = parametric_motion(action, "right", seeded(seed), joints, NATIVE.fps, FRAMES)
    return Clip(f"{action} {seed}", PROMPTS[action], f"{action} {seed}", motion)


@pytest.fixture(scope="module")
def rows() -> list[PairRow]:
    names = (GIVEN, *(f"random-{place}" for place in range(1, NETWORKS)))
    study = Study(
        priors={name: random(place) for place, name in enumerate(names)},
        body=body(),
        scene=Scene(CpuRasterizer()),
        cameras=Orbit(size=(PIXELS, PIXELS)),
        azimuths=SIDES,
        sigmas=torch.tensor([1.0]),
        seed=0,
        settings=ProbeSettings(draws=2),
    )
    clips = [clip(action, seed) for action in PROMPTS for seed in range(CLIPS)]
    return [row for each in clips for row in pair_rows(study, each, clips)]


def as_given(rows: Sequence[PairRow], network: str) -> Ranking:
    """What the rows come to if this network is the one that is asked, and all others its copies."""
    swap = {network: GIVEN, GIVEN: network}
    return ranked([dataclasses.replace(r, network=swap.get(r.network, r.network)) for r in rows])


@pytest.mark.parametrize("kind", KINDS)
def test_random_weights_know_nothing_within_an_interval_that_is_narrow(
    rows: list[PairRow], kind: str
) -> None:
    own = [row for row in rows if row.kind == kind]
    found = [as_given(own, name) for name in dict.fromkeys(row.network for row in own)]
    assert len(found) == NETWORKS
    for each in found:
        assert each.null is not None and each.null.holds(0.5)
        assert each.above_null is not None
        for interval, width in ((each.auc, 0.55), (each.null, 0.65), (each.above_null, 0.75)):
            assert interval.low is not None and interval.high is not None
            assert 0.05 < interval.high - interval.low < width
    assert sum(each.auc.holds(0.5) for each in found) >= NETWORKS - WRONGLY
    assert sum(each.verdict == "undecided" for each in found) >= NETWORKS - WRONGLY


def test_words_and_clips_make_a_difference_to_them(rows: list[PairRow]) -> None:
    """What they say is noise, but it is not nothing."""
    for kind in KINDS:
        own = wins([row for row in rows if row.kind == kind])
        assert (own == 0.5).double().mean() < 0.05, kind
