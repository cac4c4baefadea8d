"""Stable Diffusion XL (Podell et al. 2023): two text encoders, and the size of the image told."""

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
from motiondistill.priors.image_unet import check_unet
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.vp_schedule import vp_schedule

NATIVE: Final = VideoFormat(8.0, 1, 1024, 1024, size_step=8)


@final
@dataclass(frozen=True)
class SDXLDenoiser(Denoiser):
    """The UNet; it is told that the image was neither scaled nor cropped."""

    unet: Any
    pixels_per_latent: int

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        dtype = self.unet.dtype
        embeddings, pooled = (
            per_frame(conditioning.tensors[name].to(dtype), scaled)
            for name in ("embeddings", "pooled")
        )
        height, width = (self.pixels_per_latent * side for side in scaled.shape[3:])
        # Original size, top left corner of the crop, and target size.
        sizes = torch.tensor([height, width, 0, 0, height, width])
        output: Tensor = self.unet(
            as_images(scaled).to(dtype),
            per_frame(time, scaled),
            encoder_hidden_states=embeddings,
            added_cond_kwargs={
                "text_embeds": pooled,
                "time_ids": sizes.to(pooled).expand(len(pooled), -1),
            },
            return_dict=False,
        )[0]
        return as_video(output, scaled)

    def randomized(self, generator: Generator) -> "SDXLDenoiser":
        return SDXLDenoiser(reinitialized(self.unet, generator), self.pixels_per_latent)


def read_sdxl(
    prompt: str, towers: Sequence[Tower], *, zero_for_empty: bool
) -> Mapping[str, Tensor]:
    """`embeddings` [1 tokens channels] of both towers side by side, and `pooled` of the second.

    The empty prompt becomes zeros where the model was trained so, as in the pipeline when it gets
    no negative prompt.
    """
    layers, pooled = zip(*(penultimate(tower, prompt) for tower in towers), strict=True)
    tensors = {"embeddings": torch.cat(layers, dim=-1), "pooled": pooled[-1]}
    if zero_for_empty and not prompt:
        return {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
    return tensors


def sdxl_prior(components: Components, native: VideoFormat, text_length: int) -> DiffusersPrior:
    """The prior made of a Stable Diffusion XL pipeline's components; frames are images to it.

    `components` holds vae, unet, two text encoders and tokenizers, the scheduler's configuration,
    and `model_index`, which tells whether the empty prompt is zeros.
    """
    vae, unet = components["vae"], components["unet"]
    check_unet(unet, vae.config.latent_channels)
    if vae.config.get("latents_mean") is not None:
        raise ValueError(
            "`latents_mean` of an SDXL autoencoder must be null, got "
            f"{vae.config.latents_mean!r}; use a model with a scaling_factor alone."
        )
    towers = tuple(
        Tower(components[f"tokenizer{number}"], components[f"text_encoder{number}"], text_length)
        for number in ("", "_2")
    )
    zero_for_empty = components["model_index"].get("force_zeros_for_empty_prompt", True)
    video_format = dataclasses.replace(native, size_step=space_ratio(vae))
    return DiffusersPrior(
        codec=FramewiseCodec(vae, video_format),
        denoiser=SDXLDenoiser(unet, space_ratio(vae)),
        schedule=vp_schedule(components["scheduler"]),
        text=TowersText(towers, partial(read_sdxl, zero_for_empty=zero_for_empty)),
    )


FAMILY: Final = Family(
    title="Stable Diffusion XL",
    pipeline="StableDiffusionXLPipeline",
    kind="image",
    native=NATIVE,
    text_length=77,
    classes={
        "vae": "diffusers.AutoencoderKL",
        "unet": "diffusers.UNet2DConditionModel",
        "text_encoder": "transformers.CLIPTextModel",
        "text_encoder_2": "transformers.CLIPTextModelWithProjection",
        "tokenizer": "transformers.CLIPTokenizer",
        "tokenizer_2": "transformers.CLIPTokenizer",
    },
    compose=sdxl_prior,
    checkpoints=(
        Checkpoint(
            "sdxl",
            "stabilityai/stable-diffusion-xl-base-1.0",
            "CreativeML Open RAIL++-M",
            NATIVE,
        ),
    ),
)
