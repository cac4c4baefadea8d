"""A tiny random HunyuanVideo pipeline, built at test time in the real folder layout."""

from pathlib import Path
from typing import Any

import tiny_clip
import tiny_text
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.families.hunyuan import TEMPLATE
from motiondistill.priors.loading import write_native

TEXT_LENGTH = 16
NATIVE = VideoFormat(fps=8.0, frames=9, height=32, width=48)

BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
SPECIAL = (BEGIN, END, "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")


def tiny_llama_tokenizer() -> Any:
    """Pairs of bytes merged until every word of the template is one token, as almost in Llama 3."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(SPECIAL),
    )
    tokenizer.train_from_iterator([TEMPLATE, *tiny_text.CAPTIONS], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, SPECIAL.index(BEGIN))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=END,
        padding_side="right",
    )


def tiny_llama(tokenizer: Any) -> Any:
    """A language model of three layers with random weights from the global generator."""
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=tiny_text.CHANNELS,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        initializer_range=0.5,
    )
    return LlamaModel(config).eval()


def tiny_pipeline() -> Any:
    """A `HunyuanVideoPipeline` with random weights, 4x smaller in space and time; fixed seed."""
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_llama_tokenizer()
        clip_tokenizer = tiny_clip.tiny_tokenizer()
        vae = diffusers.AutoencoderKLHunyuanVideo(
            latent_channels=4,
            down_block_types=("HunyuanVideoDownBlock3D",) * 3,
            up_block_types=("HunyuanVideoUpBlock3D",) * 3,
            block_out_channels=(4, 8, 8),
            layers_per_block=1,
            norm_num_groups=2,
            spatial_compression_ratio=4,
            temporal_compression_ratio=4,
            scaling_factor=0.7,
        )
        transformer = diffusers.HunyuanVideoTransformer3DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=12,
            num_layers=1,
            num_single_layers=1,
            num_refiner_layers=1,
            text_embed_dim=tiny_text.CHANNELS,
            pooled_projection_dim=tiny_clip.CHANNELS,
            rope_axes_dim=(4, 4, 4),
        )
        return diffusers.HunyuanVideoPipeline(
            text_encoder=tiny_llama(tokenizer),
            tokenizer=tokenizer,
            transformer=transformer.eval(),
            vae=vae.eval(),
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
            text_encoder_2=tiny_clip.tiny_encoder(clip_tokenizer),
            tokenizer_2=clip_tokenizer,
        )


def save_tiny(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline().to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
