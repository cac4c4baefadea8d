"""HunyuanVideo (Kong et al. 2024): rectified flow, told its guidance instead of using it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Denoiser, DiffusersPrior, VideoFormat
from motiondistill.priors.causal import CausalCodec, ruled, scaled_statistics
from motiondistill.priors.clip_text import Tower, TowersText
from motiondistill.priors.family import Checkpoint, Components, Family
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.schedule import flow_schedule
from motiondistill.priors.text import padded_tokens

NATIVE: Final = VideoFormat(24.0, 129, 720, 1280, frame_step=4, frame_offset=1, size_step=16)

EMBEDDED_GUIDANCE: Final = 6.0
"""The guidance scale that the network is asked to imitate: the pipeline's default."""
GUIDANCE_UNIT: Final = 1000.0
"""What the network calls a guidance scale of 1."""

ASPECTS: Final = (
    "1. The main content and theme of the video.",
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the objects.",
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the "
    "objects.",
    "4. background environment, light, style and atmosphere.",
    "5. camera angles, movements, and transitions used in the video:",
)
TEMPLATE: Final = (
    "<|start_header_id|>system<|end_header_id|>\n\n"
    f"Describe the video by detailing the following aspects: {''.join(ASPECTS)}<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
)
"""What the language model is told; its embeddings of the prompt depend on it."""
TEMPLATE_TOKENS: Final = 95
"""Tokens in front of the prompt, which are cut off again."""
SKIPPED_LAYERS: Final = 2
"""Last layers of the language model that are not read."""
POOLED_TOKENS: Final = 77
"""Tokens that CLIP reads."""


@final
@dataclass(frozen=True)
class HunyuanDenoiser(Denoiser):
    """The transformer; `embedded_guidance` is what it imitates in one pass, None if it cannot."""

    transformer: Any
    embedded_guidance: float | None

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        dtype = self.transformer.dtype
        guidance = None
        if self.embedded_guidance is not None:
            guidance = time.new_full(time.shape, self.embedded_guidance).to(dtype) * GUIDANCE_UNIT
        output: Tensor = self.transformer(
            hidden_states=scaled.to(dtype),
            timestep=time,
            encoder_hidden_states=conditioning.tensors["embeddings"].to(dtype),
            encoder_attention_mask=conditioning.tensors["mask"].to(dtype),
            pooled_projections=conditioning.tensors["pooled"].to(dtype),
            guidance=guidance,
            return_dict=False,
        )[0]
        return output.to(scaled)

    def randomized(self, generator: torch.Generator) -> "HunyuanDenoiser":
        fresh = reinitialized(self.transformer, generator)
        return HunyuanDenoiser(fresh, self.embedded_guidance)


def read_prompt(prompt: str, towers: Sequence[Tower]) -> Mapping[str, Tensor]:
    """The language model's `embeddings` [1 L D] and `mask` [1 L], and CLIP's `pooled` [1 P]."""
    language, clip = towers
    tokens = padded_tokens(
        language.tokenizer,
        TEMPLATE.format(prompt),
        language.length,
        prompt=prompt,
        template=TEMPLATE_TOKENS,
        # The tokens of the template are counted from the front.
        padding_side="right",
    ).to(language.encoder.device)
    layers = language.encoder(
        input_ids=tokens.input_ids,
        attention_mask=tokens.attention_mask,
        output_hidden_states=True,
    ).hidden_states
    return {
        "embeddings": layers[-1 - SKIPPED_LAYERS][:, TEMPLATE_TOKENS:],
        "mask": tokens.attention_mask[:, TEMPLATE_TOKENS:].bool(),
        "pooled": clip.encoder(clip.tokens(prompt)).pooler_output,
    }


def hunyuan_prior(components: Components, native: VideoFormat, text_length: int) -> DiffusersPrior:
    """The prior made of a HunyuanVideo pipeline's components, for clips of the native frame rate.

    The rules of `native` are replaced by those of the networks. The released transformer imitates a
    guidance of `EMBEDDED_GUIDANCE` in a single pass, with and without a prompt; guidance by two
    passes then comes on top of it, as with the pipeline's `true_cfg_scale`.
    """
    vae, transformer = components["vae"], components["transformer"]
    mean, std = scaled_statistics(vae.config.latent_channels, vae.config.scaling_factor)
    space_ratio = vae.config.spatial_compression_ratio
    embedded_guidance = EMBEDDED_GUIDANCE if transformer.config.guidance_embeds else None
    language = Tower(
        components["tokenizer"], components["text_encoder"], text_length + TEMPLATE_TOKENS
    )
    clip = Tower(components["tokenizer_2"], components["text_encoder_2"], POOLED_TOKENS)
    return DiffusersPrior(
        codec=CausalCodec(
            vae,
            ruled(
                native,
                vae.config.temporal_compression_ratio,
                space_ratio * transformer.config.patch_size,
            ),
            mean,
            std,
            time_ratio=vae.config.temporal_compression_ratio,
            space_ratio=space_ratio,
        ),
        denoiser=HunyuanDenoiser(transformer, embedded_guidance),
        schedule=flow_schedule(components["scheduler"]),
        text=TowersText((language, clip), read_prompt),
        embedded_guidance=embedded_guidance,
    )


FAMILY: Final = Family(
    title="HunyuanVideo",
    pipeline="HunyuanVideoPipeline",
    kind="video",
    native=NATIVE,
    text_length=256,
    classes={
        "vae": "diffusers.AutoencoderKLHunyuanVideo",
        "transformer": "diffusers.HunyuanVideoTransformer3DModel",
        "text_encoder": "transformers.LlamaModel",
        # Not LlamaTokenizer: it replaces the word splitting that tokenizer.json asks for by that
        # of Llama 2, without a word.
        "tokenizer": "transformers.PreTrainedTokenizerFast",
        "text_encoder_2": "transformers.CLIPTextModel",
        "tokenizer_2": "transformers.CLIPTokenizer",
    },
    compose=hunyuan_prior,
    checkpoints=(
        Checkpoint(
            "hunyuanvideo",
            "hunyuanvideo-community/HunyuanVideo",
            "Tencent Hunyuan Community",
            NATIVE,
        ),
    ),
    guidance_distilled=True,
)
