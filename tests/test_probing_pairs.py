"""Priors of which it is known in advance which clip of a pair they prefer, and by how much."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from small_problem import body
from tiny_ltx import save_tiny
from torch import Tensor

from motiondistill.building.probe import with_copies
from motiondistill.cameras import Orbit
from motiondistill.data.parametric import parametric_motion
from motiondistill.data.windows import mirrored
from motiondistill.priors.base import Conditioning, Prior, VideoFormat, per_sample
from motiondistill.priors.gaussian import Gaussian, GaussianPrior
from motiondistill.priors.loading import load_prior
from motiondistill.probing import changes
from motiondistill.probing.asking import PairRow, pair_rows
from motiondistill.probing.pairs import BY_NAME, other_hand
from motiondistill.probing.ranking import ranked, wins
from motiondistill.probing.settings import ProbeSettings
from motiondistill.probing.statistic import common_noise, errors
from motiondistill.probing.study import GIVEN, Clip, Study
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.structures import Motion

PROMPTS = ("a person walks", "a person punches with the right hand")
ACTIONS = ("walk", "punch")
PIXELS = 12
NATIVE = VideoFormat(fps=8.0, frames=3, height=PIXELS, width=PIXELS)
VARIANCE = 0.01
FRONT_AND_BACK = torch.tensor([0.0, math.pi])
ROUNDING = 1e-9  # double precision


def clips() -> list[Clip]:
    return [
        Clip(
            prompt,
            prompt,
            prompt,
            parametric_motion(action, "right", seeded(3), body().rest_joints, 8.0, NATIVE.frames),
        )
        for prompt, action in zip(PROMPTS, ACTIONS, strict=True)
    ]


def study_of(prior: Prior, sigma: float = 1.0, **given: object) -> Study:
    study = Study(
        priors={GIVEN: prior},
        body=body(),
        scene=Scene(CpuRasterizer()),
        cameras=Orbit(size=(prior.format.height, prior.format.width)),
        azimuths=FRONT_AND_BACK,
        sigmas=prior.snap(torch.tensor([sigma])),
        seed=0,
        settings=ProbeSettings(draws=2),
    )
    return dataclasses.replace(study, **given)


def seen(motion: Motion) -> Tensor:
    """From the front and from behind, [2 3*F*H*W]."""
    scene, orbit = Scene(CpuRasterizer()), Orbit(size=(PIXELS, PIXELS))
    with torch.no_grad():
        return scene(body()(motion), orbit(FRONT_AND_BACK)).transpose(1, 2).flatten(1)


def around(mean: Tensor) -> Gaussian:
    size = mean.shape[-1]
    return Gaussian(mean, torch.full((size,), VARIANCE), torch.eye(size))


@pytest.fixture(scope="module")
def knowing() -> GaussianPrior:
    """Knows how both actions look, also backwards and in a mirror, but not by the same words."""
    known = {}
    for clip in clips():
        for words, motion in (
            (clip.prompt, clip.motion),
            (f"{clip.prompt} backwards", changes.reversed_in_time(clip.motion)),
            (other_hand(clip.prompt) or f"{clip.prompt} mirrored", mirrored(clip.motion)),
        ):
            for view, mean in zip((VIEW_NAMES[0], VIEW_NAMES[4]), seen(motion), strict=True):
                known[f"{words}, {view}"] = around(mean)
    return GaussianPrior(known, NATIVE)


def rows_of(study: Study) -> list[PairRow]:
    return [row for clip in clips() for row in pair_rows(study, clip, clips())]


@pytest.mark.parametrize("sigma", [0.5, 1.5])
def test_who_knows_prefers_the_natural_clip(knowing: GaussianPrior, sigma: float) -> None:
    rows = rows_of(study_of(knowing, sigma))
    for name in ("wrong action", "wrong view", "reversed", "mirrored"):
        own = [row for row in rows if row.kind == name]
        asked = 1 if name == "mirrored" else 2  # only one prompt names a side
        assert len(own) == asked * 2 * 2
        found = ranked(own)
        assert found.auc.value == 1.0, name
        assert found.margin.value > 0


def test_who_ignores_words_prefers_nothing() -> None:
    """The only clip it knows is that of all words and of none."""
    mean = seen(clips()[0].motion)[0]
    words = [f"{prompt}, {view}" for prompt in PROMPTS for view in VIEW_NAMES]
    one = around(mean)

    class Deaf(GaussianPrior):
        def embed(self, prompts: Sequence[str]) -> Conditioning:
            return Conditioning({"weights": torch.ones(len(prompts), 1)})

    rows = rows_of(study_of(Deaf({words[0]: one}, NATIVE)))
    assert {row.preferred for row in rows} == {row.other for row in rows} == {0.0}
    for name in BY_NAME:
        own = [row for row in rows if row.kind == name]
        found = ranked(own)
        assert found.auc.value == found.unpaired.value == 0.5
        assert found.margin.value == 0


def test_the_statistic_is_its_closed_form() -> None:
    """Of one Gaussian: `|(1 - g) (m - x) + g sigma n|^2 / sigma^2`, `g = v / (v + sigma^2)`."""
    generator, size = torch.Generator().manual_seed(0), 3 * 3 * 4 * 4
    means = [torch.randn(size, generator=generator).double() for _ in range(2)]
    native = VideoFormat(8.0, 3, 4, 4)
    eye = torch.eye(size).double()
    gaussians = [Gaussian(mean, torch.full((size,), 0.3).double(), eye) for mean in means]
    prior = GaussianPrior(dict(zip(("a", "b"), gaussians, strict=True)), native)
    x = torch.randn(1, 3, 3, 4, 4, generator=generator).double().expand(2, 3, 3, 4, 4)
    noise = torch.randn(x.shape, generator=generator).double()
    sigma = torch.tensor([0.7, 2.0]).double()
    for name, mean in zip(("a", "b"), means, strict=True):
        found = errors(prior, x, [name, name], sigma, noise)
        gain = per_sample(0.3 / (0.3 + sigma**2), x)
        off = (1 - gain) * (mean.view(1, 3, 3, 4, 4) - x) + gain * per_sample(sigma, x) * noise
        expected = (off / per_sample(sigma, x)).square().mean((1, 2, 3, 4))
        assert torch.allclose(found, expected, atol=ROUNDING)
    # Without words both are possible: the mixture of the estimates by how probable each is.
    noisy = x + per_sample(sigma, x) * noise
    likely = torch.stack([g.log_density(noisy.flatten(1), sigma) for g in gaussians], 1).softmax(1)
    clean = sum(
        likely[:, place, None] * g.denoise(noisy.flatten(1), sigma)
        for place, g in enumerate(gaussians)
    )
    expected = ((clean - x.flatten(1)) / sigma[:, None]).square().mean(1)
    assert torch.allclose(errors(prior, x, ["", ""], sigma, noise), expected, atol=ROUNDING)


@dataclass(frozen=True)
class Images(Prior):
    """Whatever a number of a picture is, its estimate depends on nothing but it and the words."""

    @property
    def format(self) -> VideoFormat:
        return VideoFormat(8.0, 1, PIXELS, PIXELS)

    @property
    def sigma_max(self) -> float:
        return 80.0

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        return Conditioning({"pull": torch.tensor([len(prompt) / 40 for prompt in prompts])})

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        return video.transpose(1, 2)

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        return latents.transpose(1, 2).clamp(0, 1)

    def snap(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return sigma

    def denoise(
        self,
        x_sigma: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        return (per_sample(conditioning.tensors["pull"], x_sigma) * x_sigma).sin()

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        return 3, frames, height, width

    def sampling_sigmas(
        self, num_steps: int, latent_shape: tuple[int, int, int, int]
    ) -> Float[Tensor, " steps_and_one"]:
        return torch.linspace(10, 0, num_steps + 1)


def test_a_prior_of_images_cannot_know_the_direction_of_time() -> None:
    rows = rows_of(study_of(Images()))
    for name in ("reversed", "shuffled"):
        own = [row for row in rows if row.kind == name]
        assert own and set(wins(own).tolist()) == {0.5}
        assert ranked(own).auc.value == 0.5
    # But it tells what single frames show.
    assert set(wins([row for row in rows if row.kind == "wrong action"]).tolist()) != {0.5}


def test_noise_is_common_to_frames_for_images_alone() -> None:
    still = common_noise(Images().format, (3, 4, 2, 2), seeded(0))
    assert (still == still[:, :1]).all()
    moving = common_noise(NATIVE, (3, 4, 2, 2), seeded(0))
    assert not (moving == moving[:, :1]).all()


def test_random_weights_know_nothing(tmp_path: Path) -> None:
    """What any copy of them may prefer is not told from what they prefer.

    By chance a network binds either of two words to either of two clips, and does so every time:
    motions alone, however many, would make that knowledge.
    """
    prior = load_prior(save_tiny(tmp_path))
    native = prior.format
    some = [
        Clip(
            f"{prompt} {seed}",
            prompt,
            f"{prompt} {seed}",
            parametric_motion(
                action, "right", seeded(seed), body().rest_joints, native.fps, native.frames
            ),
        )
        for prompt, action in zip(PROMPTS, ACTIONS, strict=True)
        for seed in range(3)
    ]
    study = study_of(
        prior, priors=with_copies(prior, 3, 0), cameras=Orbit(size=(native.height, native.width))
    )
    rows = [row for clip in some for row in pair_rows(study, clip, some)]
    for name in ("wrong action", "wrong view", "reversed", "mirrored"):
        found = ranked([row for row in rows if row.kind == name])
        assert found.verdict == "undecided", (name, found)
    assert len({row.network for row in rows}) == 4


def test_a_taste_in_words_or_in_clips_is_no_knowledge() -> None:
    """Its errors are a sum of what it makes of the words and of what it makes of the clip."""

    class Tasteful(Images):
        def denoise(
            self,
            x_sigma: Float[Tensor, "B C f h w"],
            sigma: Float[Tensor, " B"],
            conditioning: Conditioning,
        ) -> Float[Tensor, "B C f h w"]:
            return per_sample(conditioning.tensors["pull"], x_sigma).expand(x_sigma.shape)

        def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
            """What words add is then the same for all clips."""
            clean = video.transpose(1, 2).double()
            return clean - clean.mean((1, 2, 3, 4), keepdim=True)

    rows = rows_of(study_of(Tasteful()))
    for name in ("wrong action", "wrong view", "mirrored"):
        assert {*wins([row for row in rows if row.kind == name]).tolist()} == {0.5}, name
    assert {*wins([row for row in rows if row.kind == "no words"]).tolist()} == {0.0}


def test_answers_that_are_no_numbers_are_refused() -> None:
    class Nan(Images):
        def denoise(
            self,
            x_sigma: Float[Tensor, "B C f h w"],
            sigma: Float[Tensor, " B"],
            conditioning: Conditioning,
        ) -> Float[Tensor, "B C f h w"]:
            return x_sigma * math.nan

    study = study_of(Images())
    with pytest.raises(FloatingPointError, match=r"answer in numbers, got nan at noise level 0\.5"):
        list(pair_rows(dataclasses.replace(study, priors={GIVEN: Nan()}), clips()[0], clips()))


def test_copies_share_what_they_see(tmp_path: Path) -> None:
    prior = load_prior(save_tiny(tmp_path))
    copies = with_copies(prior, 2, 0)
    assert list(copies) == [GIVEN, "random-1", "random-2"]
    assert all(copy.codec is prior.codec and copy.text is prior.text for copy in copies.values())
    assert len({id(copy.denoiser) for copy in copies.values()}) == 3
