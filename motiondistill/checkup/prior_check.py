"""Whether a prior does on this machine what it is for: one pass through everything it offers."""

import contextlib
import dataclasses
import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.building.prior import make_prior, with_encoding, with_tiny_codec
from motiondistill.priors import Prior, sample
from motiondistill.priors.base import Codec, Conditioning, DiffusersPrior
from motiondistill.priors.memory import GIB
from motiondistill.priors.tiny_codec import gradient_cosine, probe
from motiondistill.randomness import seeded
from motiondistill.report.media import save_video
from motiondistill.schema.jobs import SampleConfig

PROMPT: Final = "a person is walking"
OTHER_PROMPT: Final = "a person is waving"
"""Of as many words, so that only a text encoder that reads them tells the two apart."""
LEVELS: Final = (0.1, 1.0, 10.0)
"""Noise levels, of latents with about unit variance; where a prior ends earlier, its last one."""


def check(config: SampleConfig, clip: Path) -> Iterator[str]:
    """Loads the prior, denoises, takes a gradient to pixels, samples; a line for each.

    The sampled clip is written to `clip`. Raises ValueError, FileNotFoundError and
    FloatingPointError that say what is wrong, also for too little memory.
    """
    with _in_memory():
        started = time.monotonic()
        own, prior = _priors(config)
        yield f"loaded {config.prior.model} in {_since(started)}"
        if prior.embedded_guidance is not None:
            yield (
                f"this model imitates guidance of scale {prior.embedded_guidance:g} by itself; "
                "guidance by two passes comes on top of it"
            )
        frames, height, width = _size(config, prior)
        video = _moving_bars(frames, height, width)
        yield from _denoising(prior, video, config.run.seed)
        yield _gradient(prior, video)
        if config.prior.tiny_autoencoder is not None:
            yield _likeness(own.codec, prior.codec)
        yield _sampling(prior, config, clip)
        yield f"peak memory: {_peak(config.prior.device)}"


def _denoising(prior: Prior, video: Float[Tensor, "1 F 3 H W"], seed: int) -> Iterator[str]:
    started = time.monotonic()
    conditioning = prior.embed([PROMPT])
    _different(conditioning, prior.embed([OTHER_PROMPT]))
    yield f"embedded two prompts in {_since(started)}"
    started = time.monotonic()
    with torch.no_grad():
        latents = prior.encode(video)
    _finite("encode", latents, "prior.vae_dtype=float32")
    yield f"encoded {_shape(video)} to {_shape(latents)} in {_since(started)}"
    noise = torch.randn(latents.shape, generator=seeded(seed, 0, "check"))
    for level in LEVELS:
        sigma = prior.snap(torch.tensor([min(level, prior.sigma_max)]))
        started = time.monotonic()
        with torch.no_grad():
            clean = prior.denoise(latents + sigma.item() * noise, sigma, conditioning)
        _finite(f"denoise at sigma {sigma.item():.3g}", clean, "prior.dtype=bfloat16 or float32")
        error = (clean - latents).square().mean().sqrt().item()
        yield f"denoised from sigma {sigma.item():.3g} to an error of {error:.3g} in " + _since(
            started
        )


def _gradient(prior: Prior, video: Float[Tensor, "1 F 3 H W"]) -> str:
    started = time.monotonic()
    pixels = video.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(prior.encode(pixels).square().sum(), pixels)
    _finite("the gradient in pixels", gradient, "prior.vae_dtype=float32")
    still = (gradient.abs().amax(dim=(0, 2, 3, 4)) == 0).nonzero().flatten().tolist()
    if still:
        raise ValueError(
            f"every frame must get a gradient, but frames {still} get none; choose another number "
            "of frames, or report the model."
        )
    return f"took the gradient of every frame's pixels in {_since(started)}"


def _priors(config: SampleConfig) -> tuple[DiffusersPrior, DiffusersPrior]:
    """The prior with its own autoencoder, and as configured: one and the same denoiser."""
    plain = dataclasses.replace(config.prior, tiny_autoencoder=None)
    own = make_prior(plain, config.run.seed)
    if config.prior.tiny_autoencoder is None:
        return own, own
    return own, with_encoding(config.prior, with_tiny_codec(config.prior, own))


def _likeness(full: Codec, tiny: Codec) -> str:
    cosine = gradient_cosine(full, tiny, *probe(full))
    return f"the tiny autoencoder's gradient in pixels has a cosine of {cosine:.3f} with its own"


def _sampling(prior: Prior, config: SampleConfig, clip: Path) -> str:
    started = time.monotonic()
    knobs = config.sample
    latents = sample(
        prior,
        [PROMPT],
        generator=seeded(config.run.seed, 0, "sample"),
        num_steps=knobs.num_steps,
        guidance_scale=knobs.guidance_scale,
        size=_size(config, prior),
    )
    with torch.no_grad():
        video = prior.decode(latents)
    _finite("decode", video, "prior.vae_dtype=float32")
    save_video(clip, video[0], prior.format.fps)
    return f"sampled {clip} in {knobs.num_steps} steps and {_since(started)}"


def _size(config: SampleConfig, prior: Prior) -> tuple[int, int, int]:
    native = prior.format
    height, width = config.sample.size or (native.height, native.width)
    frames = config.run.frames or native.frames
    native.check(frames, height, width)
    return frames, height, width


def _moving_bars(frames: int, height: int, width: int) -> Float[Tensor, "1 F 3 H W"]:
    """Soft bars that travel by a tenth of the width in a clip, in three shades."""
    column = torch.arange(width) / width
    phase = torch.arange(frames)[:, None] / (10 * frames)
    shade = torch.tensor([0.0, 0.2, 0.4])[:, None, None]
    bars = (torch.sin(2 * torch.pi * (3 * (column - phase)[:, None, None] + shade)) + 1) / 2
    return bars.expand(frames, 3, height, width)[None].contiguous()


def _different(ours: Conditioning, other: Conditioning) -> None:
    if all(torch.equal(tensor, other.tensors[name]) for name, tensor in ours.tensors.items()):
        raise ValueError(
            f"`prior.model` must tell prompts apart, but embeds {PROMPT!r} and {OTHER_PROMPT!r} "
            "alike; its tokenizer or its text encoder is damaged, so copy or download it anew."
        )


def _finite(what: str, tensor: Float[Tensor, "..."], remedy: str) -> None:
    if not tensor.isfinite().all():
        raise FloatingPointError(f"{what} gives infinities or nan; set {remedy}.")


@contextlib.contextmanager
def _in_memory() -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        full = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not full and "allocate memory" not in str(error):  # how PyTorch says it on a CPU
            raise
        raise ValueError(
            "the prior must fit the memory, which is full; set prior.dtype=bfloat16, "
            "prior.encode=two_pass or prior.batch_size=1, or a smaller clip by sample.size and "
            "run.frames."
        ) from error


def _peak(device: str) -> str:
    if torch.device(device).type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / GIB:.2f} GiB of {device}"
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{kibibytes * 1024 / GIB:.2f} GiB of the whole process"


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.2f} s"


def _shape(tensor: Float[Tensor, "B ..."]) -> str:
    sides: Sequence[int] = tensor.shape[1:]
    return "x".join(map(str, sides))
