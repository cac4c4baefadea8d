"""Latte or LTX: of which family should the embedded prior be?

    OMP_NUM_THREADS=1 python experiments/embedded_families.py --mocap FOLDER
        [--out trainings/families] [--clips 300] [--budget 80] [--seed 0] [--only NAME ...]

Three candidates see the same clips of 17 frames at 64 pixels (Latte the first 16): Latte with its
framewise autoencoder, and two tiny LTX with causal video autoencoders of different strides. First
they are timed, untrained, with denoisers of about the same number of weights. Then each autoencoder
is trained for the same processor time with the same loss, and measured on held-out clips: on the
body, and on what moves. All are written as pipelines and measured through the families' own
adapters. Times are of the process, not of the clock, so that others on the machine count little;
use one thread. `--budget 0` leaves out the training.

Stages that are done are skipped. Writes OUT/families.md and results/embedded_choices/families.png.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
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
    off,
    train_codec,
    write_pipeline,
)
from jaxtyping import UInt8
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from train_embedded_prior import FPS, SIZE, report, save

from motiondistill.body.anny import anny_body
from motiondistill.cameras import Orbit
from motiondistill.data.dataset import action_dataset, mocap_windows
from motiondistill.priors.base import DiffusersPrior
from motiondistill.priors.loading import load_prior
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.structures import Motion

HELD_OUT = 48
VIEWS, TRAINING_BATCH = 4, 16
RESULTS = Path("results/embedded_choices")


def render_clips(path: Path, mocap: Path, count: int, seed: int) -> UInt8[Tensor, "clips F 3 H W"]:
    """Clips of the training's data in today's scene; the last ones are held out."""
    if not path.exists():
        body, start = anny_body("low"), time.time()
        scene, cameras = Scene(CpuRasterizer()), Orbit(size=(SIZE, SIZE))
        windows = mocap_windows(mocap, body.rest_joints, FPS, FRAMES)
        dataset = action_dataset(windows, body.rest_joints, FPS, FRAMES)
        videos = torch.empty(count, FRAMES, 3, SIZE, SIZE, dtype=torch.uint8)
        for index in range(count):
            generator = seeded(seed, index, "clip")
            window = dataset.sample_clip(dataset.sample_action(generator), generator)
            azimuth = torch.rand(1, generator=generator) * 2 * math.pi
            with torch.no_grad():
                video = scene(body(Motion.stack([window.motion])), cameras(azimuth))[0]
            videos[index] = (video.clamp(0, 1) * 255).round().byte()
            report("render", index, count, start)
        save(path, videos)
    return torch.load(path, weights_only=True)


@torch.no_grad()
def codec_errors(
    prior: DiffusersPrior, videos: Tensor, background: Tensor
) -> tuple[dict[str, float], Tensor]:
    """PSNR on the body and on what moves, of clips held out, and the decoded clips."""
    true = videos[:, : prior.format.frames].float() / 255
    decoded = torch.cat([prior.decode(prior.encode(part)) for part in true.split(8)])
    true, decoded = true[:, : FRAMES - 1], decoded[:, : FRAMES - 1]
    error = (decoded - true).square().mean(2, keepdim=True)
    body = off(true, background)
    moving = torch.zeros_like(body)
    moving[:, 1:] |= off(true[:, 1:], true[:, :-1])
    return {
        "body, PSNR": -10 * math.log10(error[body].mean()),
        "moving, PSNR": -10 * math.log10(error[moving].mean()),
    }, decoded


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """The median of the processor's seconds."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return sorted(times)[repeats // 2]


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


def sheet(decoded: list[Tensor], background: Tensor) -> None:
    """A picture: every second frame of two clips that move most; the truth, then the candidates."""
    truth = decoded[0]
    moving = off(truth[:, 1:], truth[:, :-1]).float().mean((1, 2, 3, 4))
    rows = [
        torch.cat([*clips[index, 1::2]], -1)
        for index in moving.argsort(descending=True)[:2].tolist()
        for clips in decoded
    ]
    image = torch.cat(rows, -2)
    RESULTS.mkdir(parents=True, exist_ok=True)
    imageio.v3.imwrite(RESULTS / "families.png", (image.permute(1, 2, 0) * 255).byte().numpy())


def stored(folder: Path, name: str, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What the folder's file of that name holds, made first where it is missing."""
    path = folder.with_name(f"{folder.name}-{name}.json")
    if not path.exists():
        path.write_text(json.dumps(make()))
    figures: dict[str, float] = json.loads(path.read_text())
    return figures


def untrained_costs(folder: Path, candidate: Candidate, videos: Tensor) -> dict[str, float]:
    """The costs of the candidate, which training does not change."""
    torch.manual_seed(0)
    write_pipeline(folder, candidate, candidate.build_codec().eval())
    return costs(load_prior(folder), videos)


def trained_errors(
    folder: Path, candidate: Candidate, videos: Tensor, background: Tensor, args: argparse.Namespace
) -> dict[str, float]:
    """Trains the codec and writes the pipeline with it; returns how many steps it got."""
    vae, steps = train_codec(candidate, videos, background, args.budget, args.seed)
    normalise_latents(candidate, vae, videos)
    write_pipeline(folder, candidate, vae)
    return {"steps": steps}


def main() -> None:
    """Runs the stages that are not done yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--mocap", type=Path, required=True, help="folder with joints22/ and manifest.csv"
    )
    parser.add_argument("--out", type=Path, default=Path("trainings/families"))
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--budget", type=float, default=80.0, help="of a codec, seconds; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="candidates to compare; all by default")
    args = parser.parse_args()
    out: Path = args.out
    out.mkdir(parents=True, exist_ok=True)
    videos = render_clips(out / "clips.pt", args.mocap, args.clips + HELD_OUT, args.seed)
    known, held_out = videos[: args.clips], videos[args.clips :]
    background = known[::10].float().flatten(0, 1).median(0).values / 255
    decoded, lines = [held_out[:, : FRAMES - 1].float() / 255], []
    for index, (name, candidate) in enumerate(CANDIDATES.items()):
        if args.only and name not in args.only:
            continue
        folder = out / f"pipeline-{index}"
        figures = stored(folder, "costs", partial(untrained_costs, folder, candidate, held_out))
        if args.budget > 0:
            figures |= stored(
                folder,
                "codec",
                partial(trained_errors, folder, candidate, known, background, args),
            )
            errors, clips = codec_errors(load_prior(folder), held_out, background)
            figures, decoded = figures | errors, [*decoded, clips]
        lines.append(f"| {name} | " + " | ".join(f"{value:.4g}" for value in figures.values()))
        print(name, figures, flush=True)
    header = f"| family | {' | '.join(figures)} |"
    (out / "families.md").write_text("\n".join([header, *lines]) + "\n")
    if len(decoded) > 1:
        sheet(decoded, background)


if __name__ == "__main__":
    main()
