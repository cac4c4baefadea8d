"""What denoisers are trained on: noisy latents, captions, and the velocity to be predicted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from embedded_training.captions import full_caption, training_caption, without_action
from embedded_training.emphasis import Emphasis
from embedded_training.encoded import Encoded
from embedded_training.networks import SCHEDULER
from motiondistill.randomness import seeded

Batch = Mapping[str, Tensor]
Tokenise = Callable[[Sequence[str]], Batch]
"""Makes captions into `ids` and `mask`, [B tokens] each."""
Predict = Callable[[nn.Module, nn.Module, Tensor, Tensor, Tensor, Tensor], Tensor]
"""From text encoder, denoiser, noisy latents, timestep, ids and mask to a velocity."""

BANDS: Final = ((0, 250), (250, 500), (500, 750), (750, 1000))
"""Timesteps, from little to much noise, whose errors are told apart."""

_ANY_KERNEL = [
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.MATH,
]


class Denoising(nn.Module):
    """Text encoder and denoiser, and the error of the velocity that they predict together."""

    def __init__(self, text: nn.Module, denoiser: nn.Module, predict: Predict) -> None:
        super().__init__()
        self.text, self.denoiser, self.predict = text, denoiser, predict
        self.register_buffer("signals", SCHEDULER.alphas_cumprod, persistent=False)

    def forward(
        self,
        latents: Float[Tensor, "B ..."],
        noise: Float[Tensor, "B ..."],
        timestep: Int[Tensor, " B"],
        ids: Int[Tensor, "B tokens"],
        mask: Int[Tensor, "B tokens"],
        weight: Float[Tensor, "B ..."] | None = None,
    ) -> Float[Tensor, " B"]:
        """Mean squared error of `v = a noise - s latents` (Salimans and Ho 2022) of each clip.

        `weight` is what errors weigh at each place; without, they weigh alike.
        """
        signal = self.signals[timestep].view(-1, *[1] * (latents.ndim - 1))
        a, s = signal.sqrt(), (1 - signal).sqrt()
        # Over 16 tokens plain attention is faster on a CPU than the fused kernel: by a fifth and
        # more of a training step.
        kernels = [SDPBackend.MATH] if latents.device.type == "cpu" else _ANY_KERNEL
        noisy = a * latents + s * noise
        with sdpa_kernel(kernels):
            velocity = self.predict(self.text, self.denoiser, noisy, timestep, ids, mask)
        error = velocity.float() - (a * noise - s * latents)
        squares = error.square() if weight is None else weight * error.square()
        return squares.flatten(1).mean(1)


def latte_velocity(
    text: nn.Module,
    denoiser: nn.Module,
    noisy: Float[Tensor, "B C f h w"],
    timestep: Int[Tensor, " B"],
    ids: Int[Tensor, "B tokens"],
    mask: Int[Tensor, "B tokens"],
) -> Float[Tensor, "B C f h w"]:
    """The velocity as Latte predicts it: padding is attended to as zeros, as in its pipeline."""
    embeddings = text(ids, attention_mask=mask)[0] * mask[..., None]
    output: Tensor = denoiser(
        hidden_states=noisy,
        timestep=timestep,
        encoder_hidden_states=embeddings,
        return_dict=False,
    )[0]
    return output[:, : noisy.shape[1]]


def random_timesteps(count: int, generator: torch.Generator) -> Int[Tensor, " {count}"]:
    """Timesteps for training, nearly uniform: a tenth of them below 250.

    Half of the linear schedule's timesteps lie where noise is over three times the signal. There
    the text decides what happens; drawn less often, it was not learned at all. What the first
    quarter needs, sharpness, is learned soonest.
    """
    low = torch.rand(count, generator=generator) < 0.1
    few = torch.randint(0, 250, (count,), generator=generator)
    return torch.where(low, few, torch.randint(250, 1000, (count,), generator=generator))


def clip_batch(
    clips: Encoded,
    size: int,
    tokenise: Tokenise,
    generator: torch.Generator,
    weights: Emphasis | None = None,
) -> Batch:
    """What `Denoising` asks for, of random clips; `weights` are for captions that tell actions."""
    pick = torch.randint(len(clips), (size,), generator=generator)
    captions, batch = _batch(clips, pick, clips.latents[pick], tokenise, generator)
    if weights is None:
        return batch
    maps = []
    for caption, index in zip(captions, pick.tolist(), strict=True):
        told = weights[clips.labels[index], clips.views[index]]
        silent = caption in ("", without_action(clips.views[index]))
        maps.append(torch.ones_like(told) if silent else told)
    return {**batch, "weight": torch.stack(maps)[:, None, None]}


def frame_batch(clips: Encoded, size: int, tokenise: Tokenise, generator: torch.Generator) -> Batch:
    """The same of random single frames of them, [B C h w]."""
    pick = torch.randint(len(clips), (size,), generator=generator)
    frame = torch.randint(clips.latents.shape[2], (size,), generator=generator)
    return _batch(clips, pick, clips.latents[pick, :, frame], tokenise, generator)[1]


def _batch(
    clips: Encoded,
    pick: Int[Tensor, " B"],
    latents: Float[Tensor, "B ..."],
    tokenise: Tokenise,
    generator: torch.Generator,
) -> tuple[list[str], Batch]:
    captions = [training_caption(clips.labels[i], clips.views[i], generator) for i in pick.tolist()]
    return captions, {
        "latents": latents,
        "noise": torch.randn(latents.shape, generator=generator),
        "timestep": random_timesteps(len(latents), generator),
        **tokenise(captions),
    }


def validation_batches(
    clips: Encoded, latents: Float[Tensor, "B ..."], tokenise: Tokenise
) -> dict[str, Batch]:
    """The same draws for every training: batches by the names of their figures.

    `latents` are those of the clips, or one frame of each.

    For every band of timesteps one with full captions, and one without any: by how much its error
    is larger tells what the model makes of the words.
    """
    full = [
        full_caption(label, view) for label, view in zip(clips.labels, clips.views, strict=True)
    ]
    batches = {}
    for low, high in BANDS:
        generator = seeded(0, low, "validation")
        draws = {
            "latents": latents,
            "noise": torch.randn(latents.shape, generator=generator),
            "timestep": torch.randint(low, high, (len(latents),), generator=generator),
        }
        batches[f"validation/{low}-{high}"] = {**draws, **tokenise(full)}
        batches[f"validation without words/{low}-{high}"] = {**draws, **tokenise([""] * len(full))}
    return batches


@torch.no_grad()
def validate(
    module: nn.Module, batches: Mapping[str, Batch], device: torch.device, most: int = 16
) -> dict[str, float]:
    """The mean error on each batch, and the mean over all bands with full captions."""
    errors = {}
    for name, batch in batches.items():
        parts = zip(*(tensor.to(device).split(most) for tensor in batch.values()), strict=True)
        losses = [module(**dict(zip(batch, part, strict=True))) for part in parts]
        errors[name] = torch.cat(losses).mean().item()
    full = [error for name, error in errors.items() if name.startswith("validation/")]
    return {**errors, "validation/mean": sum(full) / len(full)}


def tokeniser(tokenizer: Any, length: int) -> Tokenise:
    """Captions to ids and masks, padded to `length`."""

    def tokenise(captions: Sequence[str]) -> Batch:
        tokens = tokenizer(
            list(captions),
            padding="max_length",
            max_length=length,
            truncation=True,
            return_tensors="pt",
        )
        return {"ids": tokens.input_ids, "mask": tokens.attention_mask}

    return tokenise


def check_length(tokenizer: Any, captions: Sequence[str], length: int) -> None:
    """Nothing, or a ValueError for a caption of more tokens than the model reads."""
    longest = max(captions, key=lambda text: len(text.split()))
    needed = max(len(ids) for ids in tokenizer(list(captions)).input_ids)
    if needed > length:
        raise ValueError(
            f"`length` must be at least {needed}, the tokens of the longest caption, got {length} "
            f"(a long one: {longest!r}); let the model read more, or say less."
        )
