"""The candidates for the embedded prior's family: their parts, and how codecs are trained."""

import copy
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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
from embedded_choices import codecs
from embedded_training.captions import vocabulary
from embedded_training.clips import FPS, SIZE, Clips
from embedded_training.codec import RATE, frame_images, normalise
from embedded_training.denoising import Batch
from embedded_training.encoded import encode
from embedded_training.loop import Recipe, updates
from embedded_training.networks import (
    SCHEDULER,
    TEXT_TOKENS,
    TEXT_WIDTH,
    VOCABULARY,
    build_codec,
    build_denoiser,
    build_text_encoder,
    seeded_weights,
)

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native
from motiondistill.priors.text import build_t5_tokenizer

FRAMES = 17
BATCH, WARM_UP = 32, 50  # frames, or as many clips as hold about as many; steps
TIMED_STEPS = 5
WIDTH, LAYERS = 160, 4  # of today's denoiser
LTX_LAYERS = 7  # of the same width, for about as many weights


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
        lambda: build_codec(SIZE),
        lambda: build_denoiser(FRAMES - 1, SIZE, WIDTH, LAYERS),
        LattePipeline,
        SCHEDULER,
        True,
    ),
    "LTX, 4x8x8": ltx(48, 2, (32, 64, 64)),
    "LTX, 4x16x16": ltx(128, 4, (64, 128, 128)),
}


def clip_batch(
    clips: Clips, codec: AutoencoderKLLTXVideo, size: int, generator: torch.Generator
) -> Batch:
    """What `Rebuilding` asks for, of random clips and a causal video autoencoder."""
    clip = torch.randint(len(clips), (size,), generator=generator)
    frames = clips.num_frames
    images = clips.frames(clip.repeat_interleave(frames), torch.arange(frames).repeat(size))
    videos = images.unflatten(0, (size, frames)).transpose(1, 2).float() / 255
    shape = (
        size,
        codec.config.latent_channels,
        (frames - 1) // codec.temporal_compression_ratio + 1,
        *(side // codec.spatial_compression_ratio for side in videos.shape[-2:]),
    )
    return {"images": videos, "noise": torch.randn(shape, generator=generator)}


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """The median of the processor's seconds."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return sorted(times)[repeats // 2]


def train_codec(candidate: Candidate, clips: Clips, budget: float, seed: int) -> tuple[Any, int]:
    """The autoencoder after about `budget` seconds of the processor's time, and its steps.

    As the rate follows a cosine over all steps, a few that are thrown away tell how many fit.
    """
    codec = seeded_weights(seed, candidate.build_codec)
    count = BATCH if candidate.framewise else BATCH // FRAMES + 1
    draw = partial(frame_images, clips, count)
    if not candidate.framewise:
        draw = partial(clip_batch, clips, codec, count)
    recipe = Recipe(1 + TIMED_STEPS, count, RATE, seed, WARM_UP)
    trial = updates(codecs.start(copy.deepcopy(codec), recipe), draw)
    steps = max(1, round(budget / seconds(partial(next, trial), TIMED_STEPS)))
    return codecs.train(codec, draw, dataclasses.replace(recipe, steps=steps)), steps


@torch.no_grad()
def normalise_latents(candidate: Candidate, vae: Any, clips: Clips) -> None:
    """Writes the latents' statistics where the family has them."""
    videos = torch.cat([part[::20] for part in clips.videos])
    if candidate.framewise:
        normalise(vae, encode(vae, videos))
    else:
        modes = vae.encode(videos.transpose(1, 2).float() / 127.5 - 1).latent_dist.mode()
        vae.latents_mean.copy_(modes.mean((0, 2, 3, 4)))
        vae.latents_std.copy_(modes.std((0, 2, 3, 4)))


def write_pipeline(folder: Path, candidate: Candidate, vae: Any) -> None:
    """The folder of a whole pipeline, whose denoiser and text encoder are untrained."""
    tokenizer = build_t5_tokenizer(vocabulary(), VOCABULARY, TEXT_TOKENS)
    candidate.pipeline(
        scheduler=candidate.scheduler,
        vae=vae,
        text_encoder=seeded_weights(0, build_text_encoder, len(tokenizer)).eval(),
        tokenizer=tokenizer,
        transformer=seeded_weights(0, candidate.build_denoiser).eval(),
    ).save_pretrained(folder)
    write_native(folder, VideoFormat(FPS, candidate.frames, SIZE, SIZE), TEXT_TOKENS)
