"""Low-rank adaptations: they start as nothing, learn, and leave the prior as it is."""

import builtins
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_latte
import torch
from queries import prompts
from toy_gaussian import toy_prior

from motiondistill.checkpoints import load_checkpoint, save_checkpoint
from motiondistill.engine.memory import Memory
from motiondistill.priors.base import DiffusersPrior
from motiondistill.priors.compiled import CompiledDenoiser
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.priors.guidance import Guidance
from motiondistill.priors.loading import load_prior
from motiondistill.priors.lora import initial_lora, with_lora
from motiondistill.priors.placement import PlacedDenoiser
from motiondistill.score.adaptation import Adaptation, adaptation_loss
from motiondistill.score.objectives import vsd
from motiondistill.score.query import Query

pytest.importorskip("peft")

RANK = 2
TEXT = "a person walks"


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> DiffusersPrior:
    return load_prior(tiny_latte.save_tiny(tmp_path_factory.mktemp("prior")))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def asked(prior: DiffusersPrior) -> Query:
    x = torch.randn(2, *prior.latent_shape(16, 64, 64), generator=generator(1))
    noise = torch.randn(x.shape, generator=generator(2))
    sigma = prior.snap(torch.tensor([0.5, 3.0]))
    return Query(prior, x, prompts(prior, 2, TEXT), sigma, noise, Guidance(1.0))


def test_at_its_start_it_is_the_prior_and_vsd_asks_for_nothing(prior: DiffusersPrior) -> None:
    lora = initial_lora(prior, RANK, generator())
    adapted, query = with_lora(prior, RANK, list(lora)), asked(prior)
    residual = vsd(Query(**{**vars(query), "adapted": adapted}))
    assert torch.equal(residual, torch.zeros_like(residual))


def test_it_learns_the_clips_and_the_prior_stays(prior: DiffusersPrior) -> None:
    query = asked(prior)
    state = {k: v.clone() for k, v in prior.denoiser.transformer.state_dict().items()}
    learned = Adaptation(initial_lora(prior, RANK, generator()))
    adapted = with_lora(prior, RANK, list(learned.parameters))
    words = query.prompts.positive

    def loss() -> torch.Tensor:
        return adaptation_loss(adapted, query.latents, words, query.sigma, query.noise)

    before = loss()
    # The weighted error of the clean estimate, for a prior that has learned nothing yet.
    level = query.sigma.view(-1, 1, 1, 1, 1)
    error = prior.denoise(query.noisy(query.latents), query.sigma, words) - query.latents
    velocity = error * (1 + level**2).sqrt() / level
    assert float(before.detach()) == pytest.approx(
        float(velocity.square().mean().detach()), rel=1e-5
    )
    for _ in range(10):
        learned.follow(learned.lesson(loss(), 1e-2))
    assert loss() < 0.98 * before
    residual = vsd(Query(**{**vars(query), "adapted": adapted}))
    assert residual.abs().max() > 1e-4
    after = prior.denoiser.transformer.state_dict()
    assert set(after) == set(state)
    assert all(torch.equal(after[name], state[name]) for name in state)
    assert not any(p.requires_grad for p in prior.denoiser.transformer.parameters())


def test_frozen_weights_are_shared_and_few_are_learned(prior: DiffusersPrior) -> None:
    lora = initial_lora(prior, RANK, generator())
    twin = with_lora(prior, RANK, list(lora))
    assert isinstance(twin, DiffusersPrior)
    own = {id(p) for p in prior.denoiser.transformer.parameters()}
    theirs = {id(p) for p in twin.denoiser.transformer.parameters()}
    assert own < theirs
    assert theirs - own == {id(p) for p in lora}
    # Two matrices for each of four layers of each attention, rank by width.
    count = sum(p.numel() for p in lora)
    assert 0 < count < sum(p.numel() for p in prior.denoiser.transformer.parameters())
    assert all(RANK in p.shape for p in lora)


def test_the_start_is_the_generators_alone(prior: DiffusersPrior) -> None:
    outside = torch.get_rng_state()
    first, again, other = (initial_lora(prior, RANK, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), outside)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("wrapped", [lambda part: PlacedDenoiser(part, "cpu", 1), CompiledDenoiser])
def test_wrapped_denoisers_are_adapted_inside(
    prior: DiffusersPrior, wrapped: Callable[[Any], Any]
) -> None:
    outer = dataclasses.replace(prior, denoiser=wrapped(prior.denoiser))
    lora = initial_lora(outer, RANK, generator())
    adapted, query = with_lora(outer, RANK, list(lora)), asked(prior)
    noisy = query.noisy(query.latents)
    ours = adapted.denoise(noisy, query.sigma, query.prompts.positive)
    theirs = prior.denoise(noisy, query.sigma, query.prompts.positive)
    assert (ours - theirs).abs().max() < 1e-4  # batches of one sum in another order
    ours.square().mean().backward()
    # At the start only the second matrix, which is zero, has a slope.
    assert all(p.grad is not None for p in lora)
    assert sum(float(p.grad.abs().sum()) for p in lora) > 0


@pytest.mark.parametrize("make", [toy_prior, gaussian_videos])
def test_priors_without_a_network_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"`score\.objective` must not be vsd for a prior without"):
        initial_lora(make(), RANK, generator())


def test_without_peft_the_way_to_install_it_is_told(
    prior: DiffusersPrior, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "peft":
            raise ImportError(name)
        return usual(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"motiondistill\[lora\]"):
        initial_lora(prior, RANK, generator())


def test_what_it_learned_goes_on_after_a_copy(prior: DiffusersPrior, tmp_path: Path) -> None:
    query = asked(prior)

    def train(learned: Adaptation, steps: int) -> None:
        adapted = with_lora(prior, RANK, list(learned.parameters))
        for _ in range(steps):
            words = query.prompts.positive
            loss = adaptation_loss(adapted, query.latents, words, query.sigma, query.noise)
            learned.follow(learned.lesson(loss, 1e-3))

    whole = Adaptation(initial_lora(prior, RANK, generator()))
    train(whole, 2)
    save_checkpoint(tmp_path / "half", Memory(adaptation=whole).to_tree())
    train(whole, 2)
    again = Memory.from_tree(load_checkpoint(tmp_path / "half")).adaptation
    assert again is not None
    train(again, 2)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters, again.parameters, strict=True))
