"""Wan 2.1 and 2.2 (Wan Team 2025): rectified flow on the latents of a causal autoencoder.

2.1 and 2.2 T2V-A14B share an autoencoder; A14B has two transformers, one for high and one for low
noise. 2.2 TI2V-5B has an autoencoder of its own and gives its transformer a time for every token.
"""

import html
import math
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Denoiser, DiffusersPrior, VideoFormat
from motiondistill.priors.causal import CausalCodec, ruled
from motiondistill.priors.family import Checkpoint, Components, Family
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.schedule import flow_schedule, scheduler_times
from motiondistill.priors.text import T5Text, encode_without_padding
from motiondistill.priors.wan_encoder import posterior_mean

NATIVE: Final = VideoFormat(16.0, 81, 480, 832, frame_step=4, frame_offset=1, size_step=16)
NATIVE_720P: Final = VideoFormat(16.0, 81, 720, 1280, frame_step=4, frame_offset=1, size_step=16)
NATIVE_TI2V: Final = VideoFormat(24.0, 121, 704, 1280, frame_step=4, frame_offset=1, size_step=32)


@final
@dataclass(frozen=True)
class WanDenoiser(Denoiser):
    """The transformer, and where there is one, the second transformer for times below a boundary.

    With `time_per_token` the network is given a time for every patch; here all are alike.
    """

    transformer: Any
    low_noise: Any = None
    boundary: float = 0.0
    time_per_token: bool = False

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        if self.low_noise is None:
            return self._ask(self.transformer, scaled, time, conditioning)
        output = torch.empty_like(scaled)
        low = time < self.boundary
        # The clips of one batch may lie on both sides of the boundary.
        for network, rows in ((self.transformer, ~low), (self.low_noise, low)):
            if rows.any():
                output[rows] = self._ask(network, scaled[rows], time[rows], conditioning[rows])
        return output

    def randomized(self, generator: torch.Generator) -> "WanDenoiser":
        return WanDenoiser(
            reinitialized(self.transformer, generator),
            self.low_noise and reinitialized(self.low_noise, generator),
            self.boundary,
            self.time_per_token,
        )

    def _ask(
        self,
        network: Any,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        if self.time_per_token:
            tokens = scaled[0, 0].numel() // math.prod(network.config.patch_size)
            time = time[:, None].expand(-1, tokens)
        # No mask: the text is as long as it was in training, and zero behind its end.
        output: Tensor = network(
            hidden_states=scaled.to(network.dtype),
            timestep=time,
            encoder_hidden_states=conditioning.tensors["embeddings"].to(network.dtype),
            return_dict=False,
        )[0]
        return output.to(scaled)


def clean_prompt(prompt: str) -> str:
    """The prompt without HTML entities, even doubly escaped ones, and with single spaces.

    The pipeline also mends broken Unicode where `ftfy` happens to be installed; here a prompt means
    the same on every machine.
    """
    return " ".join(html.unescape(html.unescape(prompt)).split())


def wan_prior(components: Components, native: VideoFormat, text_length: int) -> DiffusersPrior:
    """The prior made of a Wan pipeline's components, for clips of the native frame rate.

    The rules of `native` are replaced by those of the networks. A boundary between two experts
    counts only where there are two: the library writes one into pipelines of a single transformer.
    """
    vae, transformer = components["vae"], components["transformer"]
    index, scheduler = components["model_index"], components["scheduler"]
    schedule = flow_schedule(scheduler, scheduler_times(scheduler))
    space_ratio = vae.config.scale_factor_spatial
    patch = transformer.config.patch_size
    if patch[0] != 1 or patch[1] != patch[2]:
        raise ValueError(
            f"`patch_size` of a Wan transformer must be square and of one latent frame, got {patch}"
            "; use a released checkpoint."
        )
    low_noise = components["transformer_2"]
    ratio = index.get("boundary_ratio") if low_noise is not None else None
    return DiffusersPrior(
        codec=CausalCodec(
            vae,
            ruled(native, vae.config.scale_factor_temporal, space_ratio * patch[1]),
            torch.tensor(vae.config.latents_mean),
            torch.tensor(vae.config.latents_std),
            time_ratio=vae.config.scale_factor_temporal,
            space_ratio=space_ratio,
            posterior=posterior_mean,
        ),
        denoiser=WanDenoiser(
            transformer,
            low_noise,
            boundary=(ratio or 0.0) * schedule.num_train_timesteps,
            time_per_token=bool(index.get("expand_timesteps")),
        ),
        schedule=schedule,
        text=T5Text(
            components["tokenizer"],
            components["text_encoder"],
            text_length,
            prepare=clean_prompt,
            encode=encode_without_padding,
        ),
    )


LICENCE: Final = "Apache-2.0"

FAMILY: Final = Family(
    title="Wan",
    pipeline="WanPipeline",
    kind="video",
    native=NATIVE,
    text_length=512,
    classes={
        "vae": "diffusers.AutoencoderKLWan",
        "transformer": "diffusers.WanTransformer3DModel",
        "transformer_2": "diffusers.WanTransformer3DModel",
        "text_encoder": "transformers.UMT5EncoderModel",
        "tokenizer": "transformers.T5Tokenizer",
    },
    optional=("transformer_2",),
    compose=wan_prior,
    checkpoints=(
        Checkpoint("wan2.1-1.3b", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", LICENCE, NATIVE),
        Checkpoint("wan2.1-14b", "Wan-AI/Wan2.1-T2V-14B-Diffusers", LICENCE, NATIVE_720P),
        Checkpoint("wan2.2-5b", "Wan-AI/Wan2.2-TI2V-5B-Diffusers", LICENCE, NATIVE_TI2V),
        Checkpoint("wan2.2-a14b", "Wan-AI/Wan2.2-T2V-A14B-Diffusers", LICENCE, NATIVE_720P),
    ),
)
