"""AnimateDiff (Guo et al. 2024): Stable Diffusion with layers in time between its own."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, final

from jaxtyping import Float
from torch import Generator, Tensor

from motiondistill.priors.base import Conditioning, Denoiser, DiffusersPrior, VideoFormat
from motiondistill.priors.clip_text import clip_text
from motiondistill.priors.family import Components, Family, Recipe
from motiondistill.priors.frames import per_frame
from motiondistill.priors.framewise import FramewiseCodec, space_ratio
from motiondistill.priors.image_unet import check_unet
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.vp_schedule import vp_schedule

NATIVE: Final = VideoFormat(8.0, 16, 512, 512, size_step=8, max_frames=32)


@final
@dataclass(frozen=True)
class AnimateDiffDenoiser(Denoiser):
    """The UNet with its motion layers; it wants the text of every frame."""

    unet: Any

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        dtype = self.unet.dtype
        output: Tensor = self.unet(
            scaled.to(dtype),
            time,
            encoder_hidden_states=per_frame(conditioning.tensors["embeddings"].to(dtype), scaled),
            return_dict=False,
        )[0]
        return output.to(scaled)

    def randomized(self, generator: Generator) -> "AnimateDiffDenoiser":
        return AnimateDiffDenoiser(reinitialized(self.unet, generator))


def animatediff_prior(
    components: Components, native: VideoFormat, text_length: int
) -> DiffusersPrior:
    """The prior made of an AnimateDiff pipeline's components.

    `components` holds vae, text_encoder, tokenizer, the scheduler's configuration, and a unet that
    holds its motion layers: `AnimateDiffPipeline` puts image model and motion adapter together when
    it is made, and saves the whole. Positions in time are known up to a number of frames.
    """
    vae, unet = components["vae"], components["unet"]
    check_unet(unet, vae.config.latent_channels)
    video_format = dataclasses.replace(
        native,
        size_step=space_ratio(vae),
        max_frames=unet.config.motion_max_seq_length,
    )
    return DiffusersPrior(
        codec=FramewiseCodec(vae, video_format),
        denoiser=AnimateDiffDenoiser(unet),
        schedule=vp_schedule(components["scheduler"]),
        text=clip_text(components, text_length),
    )


FAMILY: Final = Family(
    title="AnimateDiff",
    pipeline="AnimateDiffPipeline",
    kind="video",
    native=NATIVE,
    text_length=77,
    classes={
        "vae": "diffusers.AutoencoderKL",
        "unet": "diffusers.UNetMotionModel",
        "text_encoder": "transformers.CLIPTextModel",
        "tokenizer": "transformers.CLIPTokenizer",
    },
    compose=animatediff_prior,
    # Its adapters are released without an image model; a folder holds the chosen pair.
    checkpoints=(),
    recipes=(
        Recipe(
            "animatediff",
            "Apache-2.0, and the image model's",
            NATIVE,
            "diffusers' AnimateDiffPipeline.from_pretrained(IMAGE_MODEL, "
            "motion_adapter=ADAPTER).save_pretrained(FOLDER)",
        ),
    ),
)
