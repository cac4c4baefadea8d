"""Latte or LTX: of which family should the embedded prior be?

    OMP_NUM_THREADS=1 python experiments/embedded_families.py [--mocap FOLDER]
        [--out trainings/families] [--clips 300] [--budget 80] [--seed 0] [--only NAME ...]

Three candidates see the same clips of 17 frames at 64 pixels (Latte the first 16): Latte with its
framewise autoencoder, and two tiny LTX with causal video autoencoders of different strides. First
they are timed, untrained, with denoisers of about the same number of weights. Then each autoencoder
is trained for about the same processor time with the same loss, and measured on held-out clips: on
the body, and on what moves. All are written as pipelines and measured through the families' own
adapters. Times are of the process, not of the clock, so that others on the machine count little;
use one thread. `--budget 0` leaves out the training.

Stages that are done are skipped. Writes OUT/families.md and results/embedded_choices/families.png.
"""

import argparse
import logging
import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import imageio.v3
import torch
from embedded_choices.families import (
    CANDIDATES,
    FRAMES,
    Candidate,
    normalise_latents,
    seconds,
    train_codec,
    write_pipeline,
)
from embedded_training.clips import (
    SIZE,
    Clips,
    Plan,
    make_dataset,
    name_motions,
    read_clips,
    render_shards,
)
from embedded_training.codec import sees_body
from embedded_training.networks import seeded_weights
from embedded_training.shards import stored
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from motiondistill.body.anny import anny_body
from motiondistill.body.base import Body
from motiondistill.data.dataset import ActionDataset
from motiondistill.priors.base import DiffusersPrior
from motiondistill.priors.loading import load_prior
from motiondistill.randomness import seeded

HELD_OUT = 48
VIEWS, TRAINING_BATCH = 4, 16
CHANGE = 0.03  # of a colour, from which a pixel has moved
RESULTS = Path("results/embedded_choices")

_log = logging.getLogger(__name__)


def render_clips(folder: Path, dataset: ActionDataset, body: Body, count: int, seed: int) -> Clips:
    """Clips as the embedded prior is trained with."""
    plan = Plan(count, seed, SIZE, name_motions(dataset))
    motion = partial(dataset.training_clip, count=count, seed=seed)
    for done in render_shards(folder, plan, motion, body, share=slice(None)):
        _log.info("rendered %d/%d", done, count)
    return read_clips(folder, plan)


def moves(videos: Float[Tensor, "clips F 3 H W"]) -> Bool[Tensor, "clips F-1 1 H W"]:
    """Where a frame differs from the one before."""
    return (videos[:, 1:] - videos[:, :-1]).abs().amax(2, keepdim=True) > CHANGE


@torch.no_grad()
def codec_errors(prior: DiffusersPrior, videos: Tensor) -> tuple[dict[str, float], Tensor]:
    """PSNR on the body and on what moves, of clips held out, and the decoded clips."""
    true = videos[:, : prior.format.frames].float() / 255
    decoded = torch.cat([prior.decode(prior.encode(part)) for part in true.split(8)])
    true, decoded = true[:, : FRAMES - 1], decoded[:, : FRAMES - 1]
    error = (decoded - true).square().mean(2, keepdim=True)
    body = sees_body(true.flatten(0, 1)).bool().view_as(error)
    moving = torch.zeros_like(body)
    moving[:, 1:] |= moves(true)
    return {
        "body, PSNR": -10 * math.log10(error[body].mean()),
        "moving, PSNR": -10 * math.log10(error[moving].mean()),
    }, decoded


def costs(prior: DiffusersPrior, videos: Tensor) -> dict[str, float]:
    """Sizes, and what a step of score distillation and of training takes, seconds."""
    video = (videos[:VIEWS, : prior.format.frames].float() / 255).requires_grad_(True)
    shape = prior.latent_shape(prior.format.frames, SIZE, SIZE)
    generator = seeded(0, 0, "costs")
    noisy = torch.randn(2 * VIEWS, *shape, generator=generator)
    batch = torch.randn(TRAINING_BATCH, *shape, generator=generator)
    few, many = (prior.embed(["a person waves"] * count) for count in (2 * VIEWS, TRAINING_BATCH))
    network: Any = prior.denoiser.transformer

    def denoise() -> None:
        with torch.no_grad():
            prior.denoise(noisy, prior.snap(torch.ones(2 * VIEWS)), few)

    figures = {
        "encode": seconds(lambda: prior.encode(video).square().sum().backward(), 5),
        "denoise": seconds(denoise, 5),
    }
    network.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(network.parameters())

    def train() -> None:
        with sdpa_kernel(SDPBackend.MATH):
            output = prior.denoiser.predict(batch, torch.full((TRAINING_BATCH,), 500.0), many)
        optimizer.zero_grad()
        (output - batch).square().mean().backward()
        optimizer.step()

    figures["training step"] = seconds(train, 3)
    patch = network.config.patch_size
    return figures | {
        "codec weights": weights(prior.codec.vae),
        "denoiser weights": weights(network),
        "numbers a clip": math.prod(shape),
        "tokens": math.prod(shape[1:]) // patch**2,
    }


def weights(network: Any) -> int:
    """How many there are."""
    return sum(parameter.numel() for parameter in network.parameters())


def sheet(decoded: list[Tensor]) -> None:
    """A picture: every second frame of two clips that move most; the truth, then the candidates."""
    moving = moves(decoded[0]).float().mean((1, 2, 3, 4))
    rows = [
        torch.cat([*clips[index, 1::2]], -1)
        for index in moving.argsort(descending=True)[:2].tolist()
        for clips in decoded
    ]
    image = torch.cat(rows, -2)
    RESULTS.mkdir(parents=True, exist_ok=True)
    imageio.v3.imwrite(RESULTS / "families.png", (image.permute(1, 2, 0) * 255).byte().numpy())


def untrained_costs(folder: Path, candidate: Candidate, videos: Tensor) -> dict[str, float]:
    """The costs of the candidate, which training does not change."""
    write_pipeline(folder, candidate, seeded_weights(0, candidate.build_codec).eval())
    return costs(load_prior(folder), videos)


def trained_steps(
    folder: Path, candidate: Candidate, clips: Clips, args: argparse.Namespace
) -> dict[str, float]:
    """Trains the codec and writes the pipeline with it; returns how many steps it got."""
    vae, steps = train_codec(candidate, clips, args.budget, args.seed)
    normalise_latents(candidate, vae, clips)
    write_pipeline(folder, candidate, vae)
    return {"steps": steps}


def parse(words: list[str] | None) -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--mocap", type=Path, help="folder with joints22/ and manifest.csv; else parametric alone"
    )
    parser.add_argument("--out", type=Path, default=Path("trainings/families"))
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--budget", type=float, default=80.0, help="of a codec, seconds; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="candidates to compare; all by default")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Runs the stages that are not done yet."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    args = parse(words)
    out, body = args.out, anny_body("low")
    dataset = make_dataset(args.mocap, body.rest_joints, FRAMES)
    known = render_clips(out / "clips", dataset, body, args.clips, args.seed)
    unseen = render_clips(out / "held_out", dataset, body, HELD_OUT, args.seed + 1)
    held_out, origin = torch.cat(unseen.videos), {**asdict(known.plan), "budget": args.budget}
    decoded, lines = [held_out[:, : FRAMES - 1].float() / 255], []
    for index, (name, candidate) in enumerate(CANDIDATES.items()):
        if args.only and name not in args.only:
            continue
        folder = out / f"pipeline-{index}"
        figures = stored(
            out / f"costs-{index}.safetensors",
            {"family": name},
            partial(untrained_costs, folder, candidate, held_out),
        )
        if args.budget > 0:
            figures |= stored(
                out / f"codec-{index}.safetensors",
                {"family": name, **origin},
                partial(trained_steps, folder, candidate, known, args),
            )
            errors, clips = codec_errors(load_prior(folder), held_out)
            figures, decoded = figures | errors, [*decoded, clips]
        lines.append(f"| {name} | " + " | ".join(f"{value:.4g}" for value in figures.values()))
        _log.info("%s %s", name, figures)
    header = f"| family | {' | '.join(figures)} |"
    (out / "families.md").write_text("\n".join([header, *lines]) + "\n")
    if len(decoded) > 1:
        sheet(decoded)


if __name__ == "__main__":
    main()
