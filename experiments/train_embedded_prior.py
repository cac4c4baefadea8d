"""Trains the embedded prior: a tiny Latte text-to-video model on renders of our own body.

    python experiments/train_embedded_prior.py --mocap FOLDER [--out trainings/embedded]
        [--steps 6000] [--seed 0] [--start PIPELINE]
    accelerate launch experiments/train_embedded_prior.py --mocap FOLDER ...

Four stages: render clips, train the codec, encode the clips, train text encoder and denoiser
together by v-prediction. Each goes on where it was left, bit for bit on a CPU; Ctrl-C and SIGTERM
save first. The result is a `LattePipeline` folder (`OUT/pipeline`), half precision, beside strips
of samples (`OUT/samples`) and figures (`OUT/denoiser/figures.jsonl`, TensorBoard). With `--start`,
the networks of such a folder are trained on, its words carried over. Uses a GPU if there is one.
"""

import argparse
import hashlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import LattePipeline
from embedded_training import clips, codec
from embedded_training.captions import longest_captions, vocabulary
from embedded_training.carry_over import with_vocabulary
from embedded_training.clips import FPS, FRAMES, SIZE
from embedded_training.denoising import (
    Batch,
    Denoising,
    check_length,
    clip_batch,
    latte_velocity,
    tokeniser,
    validation_batches,
)
from embedded_training.emphasis import emphasis
from embedded_training.encoded import Encoded, encode, encode_shards, read_encoded
from embedded_training.export import Layout
from embedded_training.loop import Recipe, Training
from embedded_training.networks import (
    SCHEDULER,
    TEXT_TOKENS,
    VOCABULARY,
    build_codec,
    build_denoiser,
    build_text_encoder,
    seeded_weights,
)
from embedded_training.prior_stage import train_prior
from embedded_training.samples import write_video_samples
from embedded_training.setting import add_arguments, begin
from embedded_training.stage import Rhythm, run_stage
from torch import nn

from motiondistill.body.anny import anny_body
from motiondistill.checkpoints import load_checkpoint, save_checkpoint
from motiondistill.priors import VideoFormat
from motiondistill.priors.text import build_t5_tokenizer
from motiondistill.randomness import seeded

MAX_BYTES = 25_000_000  # the image prior weighs 5 MB more
# Every training is judged by the same clips, whatever its seed.
VALIDATION_SEED, VALIDATION_CLIPS = 999_983, 48

_log = logging.getLogger(__name__)


class Work:
    """The arguments with what every stage needs of them."""

    def __init__(self, args: argparse.Namespace, accelerator: Accelerator, rhythm: Rhythm) -> None:
        self.args, self.accelerator, self.rhythm = args, accelerator, rhythm
        self.out: Path = args.out
        self.share = slice(accelerator.process_index, None, accelerator.num_processes)
        self.start = None
        if args.start:
            self.start = LattePipeline.from_pretrained(args.start, dtype=torch.float32)
        self.tokenizer = build_t5_tokenizer(vocabulary(), VOCABULARY, TEXT_TOKENS)
        check_length(self.tokenizer, longest_captions(), TEXT_TOKENS)

    def finish(self, stage: str, done: Iterator[int], total: int) -> None:
        """Runs a stage that is done in parts, by all processes."""
        for count in done:
            everyone = min(total, count * self.accelerator.num_processes)
            _log.info("%s %d/%d", stage, everyone, total)
        self.accelerator.wait_for_everyone()


def make_clips(work: Work) -> tuple[clips.Clips, clips.Clips, tuple[str, ...]]:
    """Clips to train and to validate with, and the actions that they show.

    Both are drawn from the same motions: validation shows other draws of parametric ones, and the
    same recordings in other looks and from other sides.
    """
    body = anny_body("low")
    dataset = clips.make_dataset(work.args.mocap, body.rest_joints, FRAMES)
    result = []
    for folder, count, seed in (
        (work.out / "clips", work.args.clips, work.args.seed),
        (work.out / "validation" / "clips", work.args.validation_clips, VALIDATION_SEED),
    ):
        plan = clips.Plan(count, seed, work.args.size, clips.name_motions(dataset))

        def motion(index: int, count: int = count, seed: int = seed) -> Any:
            return dataset.training_clip(index, count, seed)

        rendered = clips.render_shards(folder, plan, motion, body, share=work.share)
        work.finish("rendered", rendered, count)
        result.append(clips.read_clips(folder, plan))
    return result[0], result[1], dataset.actions


def make_codec(work: Work, rendered: clips.Clips, unseen: clips.Clips) -> Any:
    """The codec with unit latents, trained or taken over; None where its training was stopped."""
    path, accelerator = work.out / "codec.safetensors", work.accelerator
    there = path.exists()
    accelerator.wait_for_everyone()  # all must have looked before the first of them writes
    if not there:
        kept = work.start and not work.args.codec_steps
        made = work.start.vae if kept else train_codec(work, rendered, unseen)
        if made is None:
            return None
        if accelerator.is_main_process:
            save_checkpoint(path, made.state_dict())
        accelerator.wait_for_everyone()
    network = build_codec(work.args.size)
    network.load_state_dict(load_checkpoint(path))
    return network.to(accelerator.device)


def train_codec(work: Work, rendered: clips.Clips, unseen: clips.Clips) -> Any:
    """The averaged codec with unit latents, or None where its training was stopped."""
    args, device = work.args, work.accelerator.device
    if work.start:
        network = codec.with_little_noise(work.start.vae)
    else:
        network = seeded_weights(args.seed, build_codec, args.size)
    module = codec.Rebuilding(network)
    start = str(args.start or "")
    recipe = Recipe(args.codec_steps, codec.BATCH, args.codec_rate, args.seed, start=start)
    training = Training(module, recipe, work.accelerator)
    images = codec.frame_images(unseen, 256, seeded(0, 0, "validation"))

    @torch.no_grad()
    def look(step: int, average: nn.Module) -> Mapping[str, float]:
        held_out = {name: part.to(device) for name, part in images.items()}
        return {"validation/mean": average(**held_out).mean().item()}

    def draw(generator: torch.Generator) -> Batch:
        return codec.frame_images(rendered, codec.BATCH, generator)

    if not run_stage(training, draw, work.out / "codec", work.rhythm, look):
        return None
    average = training.average.codec
    codec.normalise(average, encode(average, torch.cat([part[::20] for part in rendered.videos])))
    return average


def make_latents(work: Work, network: Any, parts: Mapping[str, clips.Clips]) -> list[Encoded]:
    """The clips of each folder, encoded."""
    origin = hashlib.sha256((work.out / "codec.safetensors").read_bytes()).hexdigest()
    result = []
    for folder, rendered in parts.items():
        shards = encode_shards(
            work.out / folder, rendered, network, origin=origin, share=work.share
        )
        work.finish("encoded", shards, len(rendered))
        result.append(read_encoded(work.out / folder))
    return result


def make_denoising(work: Work) -> Denoising:
    """Text encoder and denoiser, new or carried over."""
    args = work.args
    if work.start:
        text = with_vocabulary(
            work.start.text_encoder,
            work.start.tokenizer,
            work.tokenizer,
            seeded(args.seed, 0, "new words"),
        )
        return Denoising(text, work.start.transformer, latte_velocity)
    text = seeded_weights(args.seed, build_text_encoder, len(work.tokenizer))
    denoiser = seeded_weights(args.seed, build_denoiser, FRAMES, args.size, args.width, args.layers)
    return Denoising(text, denoiser, latte_velocity)


def train(
    work: Work, network: Any, seen: Encoded, unseen: Encoded, actions: tuple[str, ...]
) -> bool:
    """Trains text encoder and denoiser on encoded clips; whether the training reached its end."""
    args, tokenise = work.args, tokeniser(work.tokenizer, TEXT_TOKENS)
    weights = emphasis(seen, args.emphasis)

    def draw(generator: torch.Generator) -> Batch:
        return clip_batch(seen, args.batch, tokenise, generator, weights)

    def show(folder: Path, pipeline: Path, step: int) -> None:
        write_video_samples(folder, pipeline, step, actions)

    return train_prior(
        make_denoising(work),
        Recipe(
            args.steps,
            args.batch,
            args.rate,
            args.seed if args.draws is None else args.draws,
            start=str(args.start or ""),
            emphasis=args.emphasis,
        ),
        work.accelerator,
        draw=draw,
        validation=validation_batches(unseen, unseen.latents, tokenise),
        layout=Layout(
            LattePipeline,
            "transformer",
            {"scheduler": SCHEDULER, "tokenizer": work.tokenizer},
            network,
            VideoFormat(FPS, FRAMES, args.size, args.size),
            TEXT_TOKENS,
            MAX_BYTES,
        ),
        show=show,
        setting=(work.out, work.rhythm, args.compile),
    )


def parse(words: list[str] | None) -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_arguments(parser, out="trainings/embedded", steps=6000, batch=16)
    parser.add_argument(
        "--mocap", type=Path, help="folder with joints22/ and manifest.csv; else parametric alone"
    )
    parser.add_argument("--start", type=Path, help="a pipeline folder to train on from")
    parser.add_argument("--clips", type=int, default=8000)
    parser.add_argument("--validation-clips", type=int, default=VALIDATION_CLIPS)
    parser.add_argument("--size", type=int, default=SIZE, help="of the pictures, pixels")
    parser.add_argument(
        "--codec-steps", type=int, default=2000, help="with --start, 0 keeps its codec as it is"
    )
    parser.add_argument("--codec-rate", type=float, default=codec.RATE)
    parser.add_argument(
        "--emphasis", type=float, default=1.0, help="on errors where actions move; 0 is none"
    )
    parser.add_argument(
        "--draws", type=int, help="the seed that batches are drawn with; --seed by default"
    )
    parser.add_argument("--width", type=int, default=160, help="of the denoiser")
    parser.add_argument("--layers", type=int, default=4, help="of the denoiser")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Runs the stages that are not done yet."""
    args = parse(words)
    work = Work(args, *begin(args))
    rendered, unseen, actions = make_clips(work)
    network = make_codec(work, rendered, unseen)
    if network is None:
        return
    parts = {"latents": rendered, "validation/latents": unseen}
    train(work, network, *make_latents(work, network, parts), actions)


if __name__ == "__main__":
    main()
