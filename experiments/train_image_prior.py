"""Trains the embedded image prior: a tiny Stable Diffusion on single frames of the same clips.

    python experiments/train_image_prior.py [--video trainings/embedded] [--steps 4000]
        [--out trainings/embedded_image]

`--video` is the folder of a training of the video prior, whose codec and encoded clips it takes.
The loop is the same, and so are stopping and going on. The result is a `StableDiffusionPipeline`
folder (`OUT/pipeline`), half precision.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from embedded_training.captions import longest_captions, vocabulary
from embedded_training.denoising import (
    Batch,
    Denoising,
    check_length,
    frame_batch,
    tokeniser,
    validation_batches,
)
from embedded_training.encoded import read_encoded
from embedded_training.export import Layout
from embedded_training.image_networks import (
    IMAGE_SCHEDULER,
    build_clip_encoder,
    build_unet,
    unet_velocity,
)
from embedded_training.loop import Recipe
from embedded_training.networks import SHRINKAGE, build_codec, seeded_weights
from embedded_training.prior_stage import train_prior
from embedded_training.samples import write_image_samples
from embedded_training.setting import add_arguments, begin
from torch import nn

from motiondistill.checkpoints import load_checkpoint
from motiondistill.data.captions import ACTIONS
from motiondistill.priors import VideoFormat
from motiondistill.priors.clip_tokenizer import build_clip_tokenizer

TEXT_TOKENS = 24
MAX_BYTES = 5_000_000


def parse(words: list[str] | None) -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_arguments(parser, out="trainings/embedded_image", steps=4000, batch=32)
    parser.add_argument("--video", type=Path, default=Path("trainings/embedded"))
    parser.add_argument("--width", type=int, default=40, help="of the denoiser")
    return parser.parse_args(words)


def layout(tokenizer: Any, codec: nn.Module, size: int) -> Layout:
    """A Stable Diffusion pipeline for pictures of `size` pixels."""
    others = {
        "scheduler": IMAGE_SCHEDULER,
        "tokenizer": tokenizer,
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
    native = VideoFormat(8.0, 1, size, size)
    return Layout(StableDiffusionPipeline, "unet", others, codec, native, TEXT_TOKENS, MAX_BYTES)


def main(words: list[str] | None = None) -> None:
    """Trains the image prior, or goes on with it."""
    args = parse(words)
    accelerator, rhythm = begin(args)
    tokenizer = build_clip_tokenizer(vocabulary(), TEXT_TOKENS)
    check_length(tokenizer, longest_captions(), TEXT_TOKENS)
    tokenise = tokeniser(tokenizer, TEXT_TOKENS)
    seen = read_encoded(args.video / "latents")
    unseen = read_encoded(args.video / "validation" / "latents")
    shown = {action for action, _ in seen.labels}
    actions = [action for action in ACTIONS if action in shown]
    size = SHRINKAGE * seen.latents.shape[-1]
    codec = build_codec(size)
    codec.load_state_dict(load_checkpoint(args.video / "codec.safetensors"))
    module = Denoising(
        seeded_weights(args.seed, build_clip_encoder, tokenizer, TEXT_TOKENS),
        seeded_weights(args.seed, build_unet, size, args.width),
        unet_velocity,
    )
    # A frame from anywhere in every clip; a step of 7 meets all phases of an action.
    frames = torch.arange(len(unseen)) * 7 % unseen.latents.shape[2]
    some = unseen.latents[torch.arange(len(unseen)), :, frames]

    def draw(generator: torch.Generator) -> Batch:
        return frame_batch(seen, args.batch, tokenise, generator)

    def show(folder: Path, pipeline: Path, step: int) -> None:
        write_image_samples(folder, pipeline, step, actions)

    train_prior(
        module,
        Recipe(args.steps, args.batch, args.rate, args.seed),
        accelerator,
        draw=draw,
        validation=validation_batches(unseen, some, tokenise),
        layout=layout(tokenizer, codec, size),
        show=show,
        setting=(args.out, rhythm, args.compile),
    )


if __name__ == "__main__":
    main()
