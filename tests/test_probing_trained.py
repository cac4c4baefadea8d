"""A denoiser that was trained on two actions: the probe finds what it was taught."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import pytest
import torch
from jaxtyping import Float
from small_problem import body
from torch import Tensor, nn

from motiondistill.cameras import Orbit
from motiondistill.data.parametric import parametric_motion
from motiondistill.priors.base import Conditioning, Prior, VideoFormat, per_sample
from motiondistill.probing.asking import PairRow, pair_rows
from motiondistill.probing.ranking import ranked, wins
from motiondistill.probing.settings import ProbeSettings
from motiondistill.probing.study import GIVEN, Clip, Study
from motiondistill.prompts import Wording
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene

# Who sits down does not get up, and the right hand punches: both have a direction.
PROMPTS = {"sit": "a person sits down", "punch": "a person punches with the right hand"}
PIXELS, FRAMES, WIDTH = 12, 6, 64
NATIVE = VideoFormat(fps=4.0, frames=FRAMES, height=PIXELS, width=PIXELS)
TRAINED_ON, ASKED_ABOUT = 48, 5  # clips of each action, of other draws
STEPS, BATCH, RATE = 500, 32, 3e-3
WORDLESS = 0.3  # of the training
LEVELS = (3.0, 6.0)  # at which words tell more than pictures do
COPY = range(8)
SIDES = torch.tensor([0.0, math.pi / 4])


@final
class Network(nn.Module):
    """A clean video from a noisy one, its level and its words: a hidden layer on top of Wiener."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        size = 3 * FRAMES * PIXELS**2
        self.hidden = nn.Linear(size + len(PROMPTS) + 1, WIDTH)
        self.out = nn.Linear(WIDTH, size)
        for layer in (self.hidden, self.out):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        noisy: Float[Tensor, "B size"],
        sigma: Float[Tensor, " B"],
        words: Float[Tensor, "B w"],
    ) -> Float[Tensor, "B size"]:
        level = sigma[:, None]
        spread = (1 + level**2).sqrt()
        hidden = nn.functional.silu(self.hidden(torch.cat([noisy / spread, words, level.log()], 1)))
        return torch.as_tensor(noisy / spread**2 + level / spread * self.out(hidden))


@final
@dataclass(frozen=True)
class Trained(Prior):
    """The network on pixels, less the mean video, in units of their spread."""

    network: Network
    mean: Float[Tensor, "C F H W"]
    spread: float

    @property
    def format(self) -> VideoFormat:
        return NATIVE

    @property
    def sigma_max(self) -> float:
        return LEVELS[-1]

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        return Conditioning({"words": words_of(prompts)})

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        return (video.transpose(1, 2) - self.mean) / self.spread

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        return (latents * self.spread + self.mean).transpose(1, 2).clamp(0, 1)

    def snap(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return sigma

    @torch.no_grad()
    def denoise(
        self,
        x_sigma: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        found = self.network(x_sigma.flatten(1), sigma, conditioning.tensors["words"])
        return torch.as_tensor(found).view_as(x_sigma)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        return 3, frames, height, width

    def sampling_sigmas(
        self, num_steps: int, latent_shape: tuple[int, int, int, int]
    ) -> Float[Tensor, " steps_and_one"]:
        return torch.linspace(self.sigma_max, 0, num_steps + 1)


def words_of(prompts: Sequence[str]) -> Float[Tensor, "prompts actions"]:
    """Which action a prompt names; zeros for no words."""
    return torch.tensor([[float(own in prompt) for own in PROMPTS.values()] for prompt in prompts])


def clip(action: str, seed: int) -> Clip:
    joints = body().rest_joints
    motion = parametric_motion(action, "right", seeded(seed), joints, NATIVE.fps, FRAMES)
    return Clip(f"{action} {seed}", PROMPTS[action], f"{action} {seed}", motion)


def seen(clips: Sequence[Clip]) -> Float[Tensor, "clips C F H W"]:
    """As the study sees them: from each of its sides."""
    scene, cameras = Scene(CpuRasterizer()), Orbit(size=(PIXELS, PIXELS))(SIDES)
    with torch.no_grad():
        videos = [scene(body()(each.motion), cameras) for each in clips]
    return torch.cat(videos).transpose(1, 2)


def study_of(prior: Prior, **copies: Prior) -> Study:
    return Study(
        priors={GIVEN: prior, **copies},
        body=body(),
        scene=Scene(CpuRasterizer()),
        cameras=Orbit(size=(PIXELS, PIXELS)),
        azimuths=SIDES,
        sigmas=torch.tensor(LEVELS),
        seed=0,
        wording=Wording(template="{prompt}"),
        settings=ProbeSettings(draws=2),
    )


def trained() -> Trained:
    """By the error of the clean video, weighted so that all levels count alike."""
    clips = [clip(action, 100 + seed) for action in PROMPTS for seed in range(TRAINED_ON)]
    videos = seen(clips)
    mean = videos.mean(0)
    prior = Trained(Network(seeded(0, 0, "weights")), mean, float((videos - mean).std()))
    clean = ((videos - mean) / prior.spread).flatten(1)
    words = words_of([each.prompt for each in clips for _ in SIDES])
    optimizer = torch.optim.Adam(prior.network.parameters(), lr=RATE)
    for step in range(STEPS):
        generator = seeded(0, step, "training")
        chosen = torch.randint(len(clean), (BATCH,), generator=generator)
        sigma = 1.5 * torch.randn(BATCH, generator=generator).exp()
        told = words[chosen] * (torch.rand(BATCH, 1, generator=generator) > WORDLESS)
        noise = torch.randn(BATCH, clean.shape[1], generator=generator)
        found = prior.network(clean[chosen] + sigma[:, None] * noise, sigma, told)
        weight = per_sample(1 / sigma**2 + 1, found)
        loss = (weight * (found - clean[chosen]).square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return prior


@pytest.fixture(scope="module")
def rows() -> list[PairRow]:
    prior = trained()
    copies = {
        f"random-{place}": dataclasses.replace(prior, network=Network(seeded(1, place, "weights")))
        for place in COPY
    }
    study = study_of(prior, **copies)
    asked = [clip(action, seed) for action in PROMPTS for seed in range(ASKED_ABOUT)]
    return [row for each in asked for row in pair_rows(study, each, asked)]


def own(rows: Sequence[PairRow], kind: str, prompt: str = "") -> list[PairRow]:
    return [row for row in rows if row.kind == kind and prompt in row.prompt]


@pytest.mark.parametrize(
    ("kind", "prompt"),
    [("wrong action", ""), ("reversed", PROMPTS["sit"]), ("mirrored", PROMPTS["punch"])],
)
def test_the_pairs_come_out_right(rows: list[PairRow], kind: str, prompt: str) -> None:
    """Clips that it never saw: their words, their direction of time, and their hand.

    All copies together are no null for it: with two actions each of them prefers the right words to
    the wrong ones, or the other way round, in all clips alike. `test_probing_random` has six.
    """
    asked = own(rows, kind, prompt)
    assert ranked(asked).auc.value > 0.9
    copies = [float(wins([r for r in asked if r.network == f"random-{n}"]).mean()) for n in COPY]
    assert max(copies) < 0.9


def test_what_it_was_taught_is_told_from_random_weights(rows: list[PairRow]) -> None:
    """Words help it with clips that it never saw, by more than any next network would show."""
    found = ranked(own(rows, "other clip"))
    assert found.auc.value > 0.9
    assert found.verdict == "above"
    assert found.null is not None and found.null.holds(0.5)
