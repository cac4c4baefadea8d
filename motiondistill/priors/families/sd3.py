"""Stable Diffusion 3 (Esser et al. 2024): rectified flow on image latents, three text encoders."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from motiondistill.priors.base import Conditioning, Denoiser, DiffusersPrior, VideoFormat
from motiondistill.priors.clip_text import Tower, TowersText, penultimate
from motiondistill.priors.family import Checkpoint, Components, Family
from motiondistill.priors.frames import as_images, as_video, per_frame
from motiondistill.priors.framewise import FramewiseCodec, space_ratio
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.schedule import flow_schedule, scheduler_times

NATIVE: Final = VideoFormat(8.0, 1, 1024, 1024, size_step=16)

CLIP_LENGTH: Final = 77


@final
@dataclass(frozen=True)
class SD3Denoiser(Denoiser):
    """The transformer."""

    transformer: Any

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        dtype = self.transformer.dtype
        embeddings, pooled = (
            per_frame(conditioning.tensors[name].to(dtype), scaled)
            for name in ("embeddings", "pooled")
        )
        output: Tensor = self.transformer(
            hidden_states=as_images(scaled).to(dtype),
            timestep=per_frame(time, scaled),
            encoder_hidden_states=embeddings,
            pooled_projections=pooled,
            return_dict=False,
        )[0]
        return as_video(output, scaled)

    def randomized(self, generator: Generator) -> "SD3Denoiser":
        return SD3Denoiser(reinitialized(self.transformer, generator))


def read_sd3(
    prompt: str, towers: Sequence[Tower], *, t5_length: int, channels: int
) -> Mapping[str, Tensor]:
    """`embeddings` [1 tokens channels] and `pooled` [1 channels] of two CLIPs and perhaps a T5.

    The CLIPs stand side by side, filled up with zeros to the T5's channels, and the T5's tokens
    follow. Without a T5 they are zeros, as in the pipeline: the model was trained to do without.
    """
    layers, pooled = zip(*(penultimate(tower, prompt) for tower in towers[:2]), strict=True)
    clips = torch.cat(layers, dim=-1)
    clips = torch.nn.functional.pad(clips, (0, channels - clips.shape[-1]))
    t5 = clips.new_zeros(1, t5_length, channels)
    for tower in towers[2:]:
        # No mask: the model learned to read the padding.
        t5 = tower.encoder(tower.tokens(prompt))[0]
    return {"embeddings": torch.cat([clips, t5], dim=1), "pooled": torch.cat(pooled, dim=-1)}


def count_image_tokens(frames: int, height: int, width: int, *, patch_size: int) -> int:
    """The patches of one image: each frame is one, however many there are."""
    return (height // patch_size) * (width // patch_size)


def sd3_prior(components: Components, native: VideoFormat, text_length: int) -> DiffusersPrior:
    """The prior made of a Stable Diffusion 3 pipeline's components; frames are images to it.

    `components` holds vae, transformer, two CLIPs, a T5 or None, their tokenizers, and the
    scheduler's configuration. `text_length` is the T5's.
    """
    vae, transformer = components["vae"], components["transformer"]
    towers = [
        Tower(components[f"tokenizer{number}"], components[f"text_encoder{number}"], CLIP_LENGTH)
        for number in ("", "_2")
    ]
    if components["text_encoder_3"] is not None:
        towers.append(Tower(components["tokenizer_3"], components["text_encoder_3"], text_length))
    read = partial(read_sd3, t5_length=text_length, channels=transformer.config.joint_attention_dim)
    scheduler = components["scheduler"]
    patch_size = transformer.config.patch_size
    size_step = space_ratio(vae) * patch_size
    return DiffusersPrior(
        codec=FramewiseCodec(vae, dataclasses.replace(native, size_step=size_step)),
        denoiser=SD3Denoiser(transformer),
        schedule=flow_schedule(scheduler, scheduler_times(scheduler)),
        text=TowersText(tuple(towers), read),
        count_tokens=partial(count_image_tokens, patch_size=patch_size),
    )


FAMILY: Final = Family(
    title="Stable Diffusion 3",
    pipeline="StableDiffusion3Pipeline",
    kind="image",
    native=NATIVE,
    text_length=256,
    classes={
        "vae": "diffusers.AutoencoderKL",
        "transformer": "diffusers.SD3Transformer2DModel",
        "text_encoder": "transformers.CLIPTextModelWithProjection",
        "text_encoder_2": "transformers.CLIPTextModelWithProjection",
        "text_encoder_3": "transformers.T5EncoderModel",
        "tokenizer": "transformers.CLIPTokenizer",
        "tokenizer_2": "transformers.CLIPTokenizer",
        "tokenizer_3": "transformers.T5Tokenizer",
    },
    compose=sd3_prior,
    checkpoints=(
        Checkpoint(
            "sd3-medium",
            "stabilityai/stable-diffusion-3-medium-diffusers",
            "Stability AI Community License",
            NATIVE,
            gated=True,
        ),
        Checkpoint(
            "sd3.5-medium",
            "stabilityai/stable-diffusion-3.5-medium",
            "Stability AI Community License",
            NATIVE,
            gated=True,
        ),
        Checkpoint(
            "sd3.5-large",
            "stabilityai/stable-diffusion-3.5-large",
            "Stability AI Community License",
            NATIVE,
            gated=True,
        ),
    ),
    optional=("text_encoder_3", "tokenizer_3"),
)
