"""DeepFloyd IF, stage I (Shonenkov et al. 2023): diffusion on the pixels of small images."""

import dataclasses
from typing import Any, Final

from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.priors.base import DiffusersPrior, VideoFormat
from motiondistill.priors.family import Checkpoint, Components, Family
from motiondistill.priors.image_unet import ImageUNet, check_unet
from motiondistill.priors.pixels import PIXEL_CHANNELS, PixelCodec
from motiondistill.priors.text import T5Text, plain_prompt
from motiondistill.priors.vp_schedule import vp_schedule

NATIVE: Final = VideoFormat(8.0, 1, 64, 64, size_step=8)


def encode_with_mask(
    encoder: Any, ids: Int[Tensor, "B tokens"], mask: Int[Tensor, "B tokens"]
) -> Float[Tensor, "B tokens channels"]:
    """Embeddings by a T5 whose words do not see the padding; the padding's own are kept."""
    embeddings: Tensor = encoder(ids, attention_mask=mask)[0]
    return embeddings


def deepfloyd_prior(
    components: Components, native: VideoFormat, text_length: int
) -> DiffusersPrior:
    """The prior made of a first-stage pipeline's components; frames are images to it.

    `components` holds unet, text_encoder, tokenizer, and the scheduler's configuration. Prompts are
    read as they are, in small letters: the pipeline by default also strips what looks like links.
    """
    unet = components["unet"]
    check_unet(unet, PIXEL_CHANNELS)
    # Both only keep a sampler's guided estimates within pixels' bounds. They are no part of what
    # the network was trained to say, and have no place in a score.
    scheduler = {**components["scheduler"], "thresholding": False, "clip_sample": False}
    size_step = 2 ** (len(unet.config.block_out_channels) - 1)
    return DiffusersPrior(
        codec=PixelCodec(dataclasses.replace(native, size_step=size_step)),
        denoiser=ImageUNet(unet),
        schedule=vp_schedule(scheduler),
        text=T5Text(
            components["tokenizer"],
            components["text_encoder"],
            text_length,
            prepare=plain_prompt,
            encode=encode_with_mask,
        ),
    )


FAMILY: Final = Family(
    title="DeepFloyd IF",
    pipeline="IFPipeline",
    kind="image",
    native=NATIVE,
    text_length=77,
    classes={
        "unet": "diffusers.UNet2DConditionModel",
        "text_encoder": "transformers.T5EncoderModel",
        "tokenizer": "transformers.T5Tokenizer",
    },
    compose=deepfloyd_prior,
    checkpoints=tuple(
        Checkpoint(
            f"deepfloyd-{size.lower()}",
            f"DeepFloyd/IF-I-{size}-v1.0",
            "DeepFloyd IF License",
            NATIVE,
            gated=True,
        )
        for size in ("M", "L", "XL")
    ),
)
