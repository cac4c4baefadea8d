"""What does a step with each prior take? Memory and arithmetic, from configurations alone.

    OMP_NUM_THREADS=1 python experiments/prior_costs.py [--only NAME ...]

Networks of the released sizes are built on PyTorch's meta device, without weights, and run through
the package's own codecs and denoisers in bfloat16. Needs no download, no accelerator and little
memory. What compiling gives is measured on the shipped prior, in minutes of this machine's CPU.
Writes results/prior_costs.md; `--only` prints the rows of some priors instead.
"""

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import diffusers
import torch
from torch import Tensor

from motiondistill.priors.base import Codec, DiffusersPrior, VideoFormat
from motiondistill.priors.costs import Cost, denoising_cost, empty_conditioning, encoding_cost
from motiondistill.priors.decoder_gradient import through_decoder
from motiondistill.priors.encode_modes import checkpointed, two_pass
from motiondistill.priors.loading import EMBEDDED_PRIOR, load_prior
from motiondistill.priors.outline import published_outline
from motiondistill.priors.placement import Placement
from motiondistill.priors.published import PUBLISHED

RESULTS = Path("results")
COMMON = (17, 256, 256)  # frames, height, width
GIB, TERA = 2**30, 1e12
PASSES = 21
HALF = torch.bfloat16
PLACEMENT = Placement(dtype=HALF, vae_dtype=HALF, text_dtype=HALF)
MODES: Mapping[str, Callable[[Codec], Codec]] = {
    "graph": lambda codec: codec,
    "checkpointed": checkpointed,
    "two_pass": two_pass,
    "latent": through_decoder,
}
# The most GiB that encoding may take, in its least exact mode.
GOALS = {
    ("wan2.1-1.3b", (17, 256, 256)): 2.0,
    ("wan2.1-1.3b", (81, 480, 832)): 30.0,
    ("modelscope", (16, 256, 256)): 0.5,
}

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Row:
    """One prior at one size."""

    name: str
    size: Size
    parameters: Mapping[str, int]
    encoding: Mapping[str, Cost]
    """By mode."""
    denoising: Cost
    """One pass, without gradient."""

    @property
    def weights(self) -> int:
        """Bytes of all but the text encoders, which are gone by then, and idle second experts."""
        return HALF.itemsize * sum(
            count for part, count in self.parameters.items() if not part.startswith("text_encoder")
        )

    def peak(self, mode: str) -> int:
        """Bytes of a step: weights, and the most that encoding or denoising needs beside them."""
        cost = self.encoding[mode]
        return self.weights + max(cost.peak_bytes, cost.kept_bytes + self.denoising.peak_bytes)

    def flops(self, mode: str) -> float:
        """Of a step: encoding with its gradient, denoising with and without the prompt."""
        return self.encoding[mode].flops + 2 * self.denoising.flops


def parameters(name: str) -> Mapping[str, int]:
    """How many numbers every network holds, by its part's name."""
    return published_outline(name, PLACEMENT).parameters


def empty_prior(name: str) -> DiffusersPrior:
    """The prior on the meta device, without text encoders."""
    # A pass asks one of two experts, and they are alike.
    idle = [part for part in PUBLISHED[name].parts if part.startswith(("text", "transformer_2"))]
    return published_outline(name, PLACEMENT, left_out=idle).prior


def common_size(native: VideoFormat) -> Size:
    """The longest clip within `COMMON` that the prior can take."""
    if native.frame_step == 0:
        return (native.frame_offset, *COMMON[1:])
    frames = min(COMMON[0], native.frames)
    frames -= (frames - native.frame_offset) % native.frame_step
    return (frames, *COMMON[1:])


def measure(name: str, known: dict[tuple[str, Size], dict[str, Cost]]) -> Iterator[Row]:
    """The prior at the common size and at its own."""
    counts = parameters(name)
    prior = empty_prior(name)
    native = prior.format
    sizes = [(native.frames, native.height, native.width)]
    if "vae" in counts:  # models of pixels are made for one size
        sizes.insert(0, common_size(native))
    conditioning = empty_conditioning(PUBLISHED[name].prompt)
    for size in dict.fromkeys(sizes):
        denoising = denoising_cost(prior.denoiser, prior.latent_shape(*size), conditioning)
        yield Row(name, size, counts, encoding_costs(name, size, known), denoising)


def vae_key(name: str) -> str:
    """Alike for priors with one and the same autoencoder."""
    codec = empty_prior(name).codec
    return f"{type(getattr(codec, 'vae', None))} {PUBLISHED[name].parts.get('vae')}"


def encoding_costs(
    name: str, size: Size, known: dict[tuple[str, Size], dict[str, Cost]]
) -> dict[str, Cost]:
    """The cost of encoding by mode, measured once for all priors that share an autoencoder."""
    key = vae_key(name), size
    if key not in known:
        codec = empty_prior(name).codec
        # Modes leave their mark on the autoencoder, but none that a later one would not make.
        known[key] = {mode: encoding_cost(make(codec), *size) for mode, make in MODES.items()}
    return known[key]


def encoding_line(row: Row) -> str:
    """Kept and peak memory of the modes, and their arithmetic."""
    memory = " | ".join(
        f"{cost.kept_bytes / GIB:.2f} / {cost.peak_bytes / GIB:.2f}"
        for cost in row.encoding.values()
    )
    flops = " / ".join(f"{cost.flops / TERA:.1f}" for cost in row.encoding.values())
    return f"| {row.name} | {show(row.size)} | {memory} | {flops} |"


def step_line(row: Row) -> str:
    """Parameters, one pass of the denoiser, and a whole step."""
    speech = sum(n for part, n in row.parameters.items() if part.startswith("text_encoder"))
    vae = row.parameters.get("vae", 0)
    denoiser = sum(row.parameters.values()) - speech - vae
    counts = f"{denoiser / 1e9:.2f} | {vae / 1e9:.2f} | {speech / 1e9:.2f}"
    one = f"{row.denoising.peak_bytes / GIB:.2f} | {row.denoising.flops / TERA:.2f}"
    memory = " / ".join(f"{row.peak(mode) / GIB:.1f}" for mode in MODES)
    flops = " / ".join(f"{row.flops(mode) / TERA:.1f}" for mode in MODES)
    return f"| {row.name} | {show(row.size)} | {counts} | {one} | {memory} | {flops} |"


def goal_line(rows: list[Row], name: str, size: Size) -> str:
    """Whether the least mode meets the goal."""
    row = next(row for row in rows if (row.name, row.size) == (name, size))
    before = row.encoding["graph"].peak_bytes / GIB
    exact = [cost.peak_bytes for mode, cost in row.encoding.items() if mode != "latent"]
    after = min(exact) / GIB
    bar = GOALS[name, size]
    verdict = "met" if after <= bar else "**missed**"
    return f"| {name} | {show(size)} | {before:.2f} | {after:.2f} | {bar:g} | {verdict} |"


def compiled_line() -> str:
    """The shipped prior's denoiser as it is and compiled: one pass over a clip with guidance."""
    plain, fast = (load_prior(EMBEDDED_PRIOR, compile_denoiser=choice) for choice in (False, True))
    native = plain.format
    shape = plain.latent_shape(native.frames, native.height, native.width)
    noise = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    conditioning, sigma = plain.embed(["a person is walking", ""]), plain.snap(torch.ones(2))

    @torch.no_grad()
    def passed(prior: DiffusersPrior) -> tuple[Tensor, float]:
        started = time.process_time()
        return prior.denoise(noise, sigma, conditioning), time.process_time() - started

    exact, _ = passed(plain)
    answer, first = passed(fast)
    slow, quick = (
        statistics.median(passed(prior)[1] for _ in range(PASSES)) for prior in (plain, fast)
    )
    error = ((answer - exact).abs().max() / exact.abs().max()).item()
    return (
        f"| {slow * 1e3:.1f} | {quick * 1e3:.1f} | {quick / slow:.2f} | {first:.0f} | {error:.0e} |"
    )


def show(size: Size) -> str:
    """Frames, height and width."""
    return "x".join(map(str, size))


def write(rows: list[Row], seconds: float) -> None:
    """The page."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    encoding = [encoding_line(row) for row in rows if "vae" in row.parameters]
    page = PAGE.format(
        commit=commit,
        seconds=seconds,
        torch=torch.__version__,
        diffusers=diffusers.__version__,
        goals="\n".join(goal_line(rows, *goal) for goal in GOALS),
        encoding="\n".join(dict.fromkeys(encoding)),
        steps="\n".join(step_line(row) for row in rows),
        compiled=compiled_line(),
        passes=PASSES,
    )
    (RESULTS / "prior_costs.md").write_text(page, encoding="utf-8")


PAGE = """# What a step takes

Memory and arithmetic follow from the released models' configurations
(`motiondistill/priors/published.py`): networks of their sizes, without weights, run through this
package's codecs and denoisers on PyTorch's meta device, in bfloat16, one clip at a time. Not in
them: what convolutions take as workspace. Attention is counted as by the kernels that never hold
its whole matrix.

`prior.encode` says how much of an encoding is kept for the gradient in pixels. `graph` keeps all,
`checkpointed` what is between the encoder's blocks, `two_pass` nothing: it encodes again when the
gradient is due. The gradient is the same with each. In these two an image autoencoder goes frame by
frame. `latent` never differentiates the encoder: it decodes twice, and gives the part of the
gradient that the decoder shows (`motiondistill/priors/decoder_gradient.py`).

Command: `OMP_NUM_THREADS=1 python experiments/prior_costs.py`, {seconds:.0f} s; commit
{commit}; torch {torch}, diffusers {diffusers}.

## Goals

The most that encoding a clip and its gradient take, GiB, without weights.

| prior | clip | before | after | goal | |
|---|---|---|---|---|---|
{goals}

## Encoding

GiB kept while the denoiser works / at the peak; TFLOP of encoding and gradient.

| prior | clip | graph | checkpointed | two_pass | latent | TFLOP of each |
|---|---|---|---|---|---|---|
{encoding}

What is left at a model's own size is mostly the largest block of its encoder, for one chunk of
frames (Wan) or for the whole clip (LTX, Mochi, CogVideoX in eights of frames), and what chunks hand
on to the next. HunyuanVideo's encoder goes through clips of over 16 frames in overlapping tiles of
time by the library's default; in each it attends under a mask that is a whole matrix: 72,000 by
72,000 at 720x1280, 19 GiB in float32.

## Steps

A step encodes a rendered clip with its gradient and denoises it with and without the prompt, one
after the other. Billions of parameters; GiB and TFLOP of one pass through the denoiser; GiB of a
step with the weights of denoiser and autoencoder, and its TFLOP, by `graph` / `checkpointed` /
`two_pass` / `latent`. Of two experts both are in memory.

| prior | clip | denoiser | autoencoder | text | pass, GiB | pass, TFLOP | step, GiB | step, TFLOP |
|---|---|---|---|---|---|---|---|---|
{steps}

## Compiled

`prior.compile=true` compiles the denoiser at its first use. The shipped prior on one core of a CPU,
both passes of guidance at once, median of {passes} calls in CPU time: milliseconds as it is and
compiled, their ratio, seconds of the first call, and the greatest relative difference between the
answers. Other shapes, and gradients through the denoiser, are compiled once more each.

| as it is | compiled | ratio | first call, s | difference |
|---|---|---|---|---|
{compiled}
"""


def main() -> None:
    """All priors, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PUBLISHED, default=[])
    options = parser.parse_args()
    started = time.process_time()
    known: dict[tuple[str, Size], dict[str, Cost]] = {}
    rows = []
    for name in options.only or PUBLISHED:
        for row in measure(name, known):
            rows.append(row)
            print(encoding_line(row), step_line(row), sep="\n", flush=True)
    if not options.only:
        write(rows, time.process_time() - started)


if __name__ == "__main__":
    main()
