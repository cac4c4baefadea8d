"""The page of what a step takes."""

import subprocess
from pathlib import Path

import diffusers
import torch
from step_costs.compiled import PASSES, compiled_line
from step_costs.measure import MODES, Row, Size

RESULTS = Path("results")
GIB, TERA = 2**30, 1e12
# The most GiB that encoding may take, in its least exact mode.
GOALS = {
    ("wan2.1-1.3b", (17, 256, 256)): 2.0,
    ("wan2.1-1.3b", (81, 480, 832)): 30.0,
    ("modelscope", (16, 256, 256)): 0.5,
}

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
