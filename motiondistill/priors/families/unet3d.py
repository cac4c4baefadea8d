"""ModelScope (Wang et al. 2023), ZeroScope and VideoCrafter2 (Chen et al. 2024): one video UNet."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, final

from jaxtyping import Float
from torch import Generator, Tensor

from motiondistill.priors.base import Conditioning, Denoiser, DiffusersPrior, VideoFormat
from motiondistill.priors.clip_text import clip_text
from motiondistill.priors.family import Checkpoint, Components, Family, Recipe
from motiondistill.priors.framewise import FramewiseCodec, space_ratio
from motiondistill.priors.image_unet import check_unet
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.scaled_signal import END_KEY, scaled_signal_schedule
from motiondistill.priors.vp_schedule import vp_schedule

MODELSCOPE: Final = VideoFormat(8.0, 16, 256, 256, size_step=8)
ZEROSCOPE: Final = VideoFormat(8.0, 24, 320, 576, size_step=8)
# The size and the length of the authors' run_text2video.sh, and the rate their inference.py saves
# with; neither is the rate that it tells the network, see the converter.
VIDEOCRAFTER2: Final = VideoFormat(10.0, 16, 320, 512, size_step=8)


@final
@dataclass(frozen=True)
class UNet3DDenoiser(Denoiser):
    """The UNet of images with convolution and attention in time between its layers."""

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
            encoder_hidden_states=conditioning.tensors["embeddings"].to(dtype),
            return_dict=False,
        )[0]
        return output.to(scaled)

    def randomized(self, generator: Generator) -> "UNet3DDenoiser":
        return UNet3DDenoiser(reinitialized(self.unet, generator))


def unet3d_prior(components: Components, native: VideoFormat, text_length: int) -> DiffusersPrior:
    """The prior made of the components of a pipeline of this kind.

    `components` holds vae, unet, text_encoder, tokenizer, and the scheduler's configuration. A
    folder that was converted from VideoCrafter2 is known by what the converter recorded there.
    """
    vae, unet, scheduler = components["vae"], components["unet"], components["scheduler"]
    check_unet(unet, vae.config.latent_channels)
    scaled_signal = END_KEY in scheduler
    return DiffusersPrior(
        codec=FramewiseCodec(vae, dataclasses.replace(native, size_step=space_ratio(vae))),
        denoiser=UNet3DDenoiser(unet),
        schedule=scaled_signal_schedule(scheduler) if scaled_signal else vp_schedule(scheduler),
        text=clip_text(components, text_length),
    )


FAMILY: Final = Family(
    title="ModelScope, ZeroScope, VideoCrafter2",
    pipeline="TextToVideoSDPipeline",
    kind="video",
    native=MODELSCOPE,
    text_length=77,
    classes={
        "vae": "diffusers.AutoencoderKL",
        "unet": "diffusers.UNet3DConditionModel",
        "text_encoder": "transformers.CLIPTextModel",
        "tokenizer": "transformers.CLIPTokenizer",
    },
    compose=unet3d_prior,
    checkpoints=(
        Checkpoint("modelscope", "ali-vilab/text-to-video-ms-1.7b", "CC-BY-NC-4.0", MODELSCOPE),
        Checkpoint("zeroscope", "cerspense/zeroscope_v2_576w", "CC-BY-NC-4.0", ZEROSCOPE),
    ),
    recipes=(
        Recipe(
            "videocrafter2",
            "Apache-2.0, for research only",
            VIDEOCRAFTER2,
            "motiondistill convert videocrafter2 CKPT FOLDER",
        ),
    ),
)
