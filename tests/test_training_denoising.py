"""What the priors' denoisers learn: the loss, the noise levels, the validation, the size."""

from typing import Any

import pytest
import torch
from embedded_training.denoising import (
    BANDS,
    Denoising,
    random_timesteps,
    tokeniser,
    validate,
    validation_batches,
)
from embedded_training.export import Layout
from embedded_training.networks import SCHEDULER, build_codec
from tiny_training import TOKENS, caption_tokenizer, four_clips, tiny_denoising
from torch import Tensor, nn

from motiondistill.priors import VideoFormat
from motiondistill.randomness import seeded


def test_the_loss_is_that_of_the_schedulers_velocity() -> None:
    """Nothing for who knows the answer; else the mean square of what is wrong."""
    latents = four_clips().latents
    noise = torch.randn(latents.shape, generator=seeded(1))
    timestep = torch.tensor([0, 10, 500, 999])
    ids = torch.zeros(4, TOKENS, dtype=torch.long)
    right = SCHEDULER.get_velocity(latents, noise, timestep)
    noisy = SCHEDULER.add_noise(latents, noise, timestep)
    seen = []

    def answer(_: Any, __: Any, given: Tensor, *___: Tensor) -> Tensor:
        seen.append(given)
        return right + torch.tensor([0.0, 1.0, 2.0, 3.0]).view(-1, 1, 1, 1, 1)

    loss = Denoising(nn.Identity(), nn.Identity(), answer)(latents, noise, timestep, ids, ids)
    torch.testing.assert_close(loss, torch.tensor([0.0, 1.0, 4.0, 9.0]))
    torch.testing.assert_close(seen[0], noisy)


def test_a_tenth_of_the_timesteps_is_low() -> None:
    drawn = random_timesteps(20_000, seeded(0))
    assert drawn.min() >= 0 and drawn.max() == 999
    # Three standard deviations of a share of 20,000 draws.
    assert (drawn < 250).float().mean().item() == pytest.approx(0.1, abs=0.0064)
    assert (drawn >= 625).float().mean().item() == pytest.approx(0.45, abs=0.011)


def test_validation_repeats_itself_and_tells_the_bands_apart() -> None:
    tokenise, encoded = tokeniser(caption_tokenizer(), TOKENS), four_clips()
    batches = validation_batches(encoded, encoded.latents, tokenise)
    for low, high in BANDS:
        spoken, silent = (
            batches[f"{name}/{low}-{high}"] for name in ("validation", "validation without words")
        )
        assert torch.equal(spoken["noise"], silent["noise"])
        assert low <= spoken["timestep"].min() and spoken["timestep"].max() < high
        assert spoken["mask"].sum() > silent["mask"].sum() == len(encoded)
    module = tiny_denoising()
    figures = validate(module, batches, torch.device("cpu"))
    again = validate(
        module, validation_batches(encoded, encoded.latents, tokenise), torch.device("cpu"), most=4
    )
    assert figures == again
    full = [figures[f"validation/{low}-{high}"] for low, high in BANDS]
    assert figures["validation/mean"] == pytest.approx(sum(full) / 4)


def test_networks_that_are_too_large_are_refused() -> None:
    native = VideoFormat(8.0, 3, 32, 32)
    layout = Layout(None, "transformer", {}, build_codec(32), native, TOKENS, max_bytes=500_000)
    with pytest.raises(ValueError, match=r"at most 500000 bytes together, got \d+; lessen"):
        layout.check(tiny_denoising())
