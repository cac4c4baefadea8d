"""The candidates for the embedded prior's family: their parts, and how codecs are trained."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTXVideo,
    FlowMatchEulerDiscreteScheduler,
    LattePipeline,
    LTXPipeline,
    LTXVideoTransformer3DModel,
)
from jaxtyping import Bool, Float
from torch import Tensor
from train_embedded_prior import (
    FPS,
    SCHEDULER,
    SIZE,
    TEXT_TOKENS,
    TEXT_WIDTH,
    VOCABULARY,
    build_codec,
    build_denoiser,
    build_text_encoder,
    normalise,
    training_sentences,
)

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native
from motiondistill.priors.text import build_t5_tokenizer
from motiondistill.randomness import seeded

FRAMES = 17
RATE, BATCH = 2e-3, 32  # frames, or as many clips as hold about as many
WIDTH, LAYERS = 160, 4  # of today's denoiser
LTX_LAYERS = 7  # of the same width, for about as many weights
CHANGE = 0.03  # of a colour, from which a pixel is not the background's


@dataclass(frozen=True)
class Candidate:
    """A family with the sizes of its parts."""

    frames: int
    build_codec: Callable[[], Any]
    build_denoiser: Callable[[], Any]
    pipeline: Any
    """The class of the pipeline, as which the parts are written."""
    scheduler: Any
    framewise: bool
    """Whether the autoencoder takes frames by themselves, rather than clips."""


def ltx_codec(channels: int, patch: int, widths: tuple[int, int, int]) -> AutoencoderKLLTXVideo:
    """A causal video autoencoder, four times smaller in time and 4 `patch` times in space."""
    return AutoencoderKLLTXVideo(
        latent_channels=channels,
        block_out_channels=widths,
        down_block_types=("LTXVideo095DownBlock3D",) * 2,
        downsample_type=("spatiotemporal",) * 2,
        spatio_temporal_scaling=(True, True),
        layers_per_block=(1, 1, 1),
        decoder_block_out_channels=widths[:2],
        decoder_spatio_temporal_scaling=(True, True),
        decoder_layers_per_block=(1, 1, 1),
        decoder_inject_noise=(False,) * 3,
        upsample_residual=(True, True),
        upsample_factor=(2, 2),
        patch_size=patch,
    )


def ltx_denoiser(channels: int, width: int, layers: int) -> LTXVideoTransformer3DModel:
    """A transformer over all latents of a clip at once."""
    return LTXVideoTransformer3DModel(
        in_channels=channels,
        out_channels=channels,
        num_attention_heads=4,
        attention_head_dim=width // 4,
        cross_attention_dim=width,
        num_layers=layers,
        caption_channels=TEXT_WIDTH,
    )


def ltx(channels: int, patch: int, widths: tuple[int, int, int]) -> Candidate:
    """An LTX with that many latent channels, patches of pixels, and channels within."""
    return Candidate(
        FRAMES,
        lambda: ltx_codec(channels, patch, widths),
        lambda: ltx_denoiser(channels, WIDTH, LTX_LAYERS),
        LTXPipeline,
        FlowMatchEulerDiscreteScheduler(),
        False,
    )


CANDIDATES = {
    "Latte, framewise 4x4": Candidate(
        FRAMES - 1,
        build_codec,
        lambda: build_denoiser(WIDTH, LAYERS),
        LattePipeline,
        SCHEDULER,
        True,
    ),
    "LTX, 4x8x8": ltx(48, 2, (32, 64, 64)),
    "LTX, 4x16x16": ltx(128, 4, (64, 128, 128)),
}


def codec_loss(
    vae: Any,
    videos: Float[Tensor, "clips F 3 H W"],
    body: Bool[Tensor, "clips F 1 H W"],
    framewise: bool,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """As the embedded prior's codec is trained, for frames or for clips."""
    folded = videos.flatten(0, 1) if framewise else videos.transpose(1, 2)
    posterior = vae.encode(folded * 2 - 1).latent_dist
    noise = torch.randn(posterior.mean.shape, generator=generator)
    rebuilt = vae.decode(posterior.mean + posterior.std * noise).sample / 2 + 0.5
    rebuilt = rebuilt.view(videos.shape) if framewise else rebuilt.transpose(1, 2)
    error = rebuilt - videos
    loss = ((1 + 5 * body) * (error.square() + 0.02 * error.abs())).mean()
    return loss + 1e-6 * posterior.kl().sum() / (videos.shape[0] * videos.shape[1])


def train_codec(
    candidate: Candidate, videos: Tensor, background: Tensor, budget: float, seed: int
) -> tuple[Any, int]:
    """The autoencoder after `budget` seconds of the processor's time, and how many steps it got."""
    torch.manual_seed(seed)
    vae = candidate.build_codec()
    optimizer = torch.optim.AdamW(vae.parameters(), lr=RATE, betas=(0.9, 0.99))
    count, frames = (BATCH, 1) if candidate.framewise else (BATCH // FRAMES + 1, FRAMES)
    step, start = 0, time.process_time()
    while (share := (time.process_time() - start) / budget) < 1:
        generator = seeded(seed, step, "codec")
        cosine = 0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 50) * cosine
        clip = torch.randint(len(videos), (count,), generator=generator)
        first = torch.randint(FRAMES - frames + 1, (count,), generator=generator)
        index = first[:, None] + torch.arange(frames)
        batch = videos[clip[:, None], index].float() / 255
        body = off(batch, background)
        loss = codec_loss(vae, batch, body, candidate.framewise, generator)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        if step % 25 == 0:
            print(f"codec step {step}, {share:.0%}: {loss.item():.5f}", flush=True)
        step += 1
    return vae.eval().requires_grad_(False), step


def off(video: Float[Tensor, "*clips 3 H W"], other: Tensor) -> Bool[Tensor, "*clips 1 H W"]:
    """Where the video differs from another one."""
    return (video - other).abs().amax(-3, keepdim=True) > CHANGE


@torch.no_grad()
def normalise_latents(candidate: Candidate, vae: Any, videos: Tensor) -> None:
    """Writes the latents' statistics where the family has them."""
    batch = videos[::20].float() / 127.5 - 1
    if candidate.framewise:
        modes = vae.encode(batch.flatten(0, 1)).latent_dist.mode()
        normalise(vae, modes.unflatten(0, batch.shape[:2]).transpose(1, 2))
    else:
        modes = vae.encode(batch.transpose(1, 2)).latent_dist.mode()
        vae.latents_mean.copy_(modes.mean((0, 2, 3, 4)))
        vae.latents_std.copy_(modes.std((0, 2, 3, 4)))


def write_pipeline(folder: Path, candidate: Candidate, vae: Any) -> None:
    """The folder of a whole pipeline, whose denoiser and text encoder are untrained."""
    tokenizer = build_t5_tokenizer(training_sentences(), VOCABULARY, TEXT_TOKENS)
    torch.manual_seed(0)
    candidate.pipeline(
        scheduler=candidate.scheduler,
        vae=vae,
        text_encoder=build_text_encoder(len(tokenizer)).eval(),
        tokenizer=tokenizer,
        transformer=candidate.build_denoiser().eval(),
    ).save_pretrained(folder)
    write_native(folder, VideoFormat(FPS, candidate.frames, SIZE, SIZE), TEXT_TOKENS)
