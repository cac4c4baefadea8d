"""The page of the rendering benchmark, from plain data."""

from pathlib import Path
from typing import Final

from render_bench import tables
from render_bench.plot import draw

from motiondistill.atomic import write_text

# Of the finite differences, see `truth.STEP`.
_STEP: Final = 0.004
_PAGE: Final = """# Rendering speed

How long the renderer takes forward and backward, what memory it needs, how that grows, and what
Mitsuba 3 needs for gradients that are as good.

Command: `python experiments/bench_render.py --threads {threads}`; commit {commit}; {machine},
threads: {threads}; {versions}. Every case ran in a process of its own.

## Times

Milliseconds for 16 frames: the median of repeated runs after three to warm up, and the quartiles
around it. The derivative of the loss by the pixels is given. `render` goes from posed vertices to
pixels and back to their gradient; `body and render` from the motion's rotations and displacement
and back; `forward` is the first half of `render`. The scene is the default one (part colours, a
light, the ground); `unlit` is `render` with neither light nor ground. Memory: how far one `body and
render` raises the process' highest resident memory, with all modules, kernels and the body loaded.

{times}

{cuda}

The body of SMPL-X's size is the full Anny with {collapsed:,} of its edges collapsed: 20,908
triangles as SMPL-X has, and 13 vertices fewer. SMPL-X itself may not be shipped.

## Against Mitsuba 3

The same unlit clip (a kick), camera, triangles, colours per vertex, pixels (box filter) and
derivative of the loss by the pixels (smooth, random) for both, and the same task: from vertices in
the world to their gradient. That is judged in two ways, by the L2 norm of its error over that of
the truth (and their cosine):

- by `pose`, as an optimiser sees it: the derivative by every frame's displacement and by the
  rotations of its pelvis, a hip, a shoulder and an elbow. The truth is finite differences (steps
  of {step} m and rad) of images that are the mean of many point samples a pixel. Nothing that is
  judged takes part in it.
- by `vertices`, one by one. The truth is our own gradient at high resolution, which is that close
  to the truth by pose; Mitsuba's converges to the same.

Mitsuba (`llvm_ad_rgb`, projective sampling of silhouettes: Zhang et al. 2023) is set up to be as
fast as we could make it: all frames side by side in one image, so that overheads are paid once; an
integrator that only looks up the first surface's colour; no indirect silhouettes; evenly spread
samples; kernels compiled and cached before the clock starts. Its time has three parts: new vertices
and the search tree for them; the image, with the quickest number of samples a pixel whose root mean
square error is at most ours; and the gradient, with the quickest whose error (the median over
several seeds) is at most ours. `samples` are these numbers, powers of two: of the image / inside
surfaces / at silhouettes. One a pixel is the least there is: where that already beats our error,
the ratio is to Mitsuba at its fastest. Where more would have taken too long, ≈ marks an
extrapolation: errors fall with the root of the samples, and time grows with them.

Ours has a bias that Mitsuba's has not: silhouettes within a pixel of each other. Drawing more
samples (2² or 4² a pixel) lessens it.
{mitsuba}

## Growth

The default scene with the low Anny at 64 px in 16 frames, of which one thing is changed; for the
triangles, at 256 px. Exponents are of the time of `body and render` as a power of what grows: the
slope of the straight line through all points in logarithms, and that between the last two. `pixels`
are those of one frame.

{growth}

{plot}
"""


def write_page(results: tables.Results, path: Path) -> None:
    """The page under `path` and its plot beside it, each whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plot = path.with_suffix(".png")
    drawn = draw(tables.growth_curves(results), tables.error_curves(results), plot)
    about = results.about
    text = _PAGE.format(
        commit=about["commit"],
        machine=about["machine"],
        versions=", ".join(f"{name} {number}" for name, number in about["versions"].items()),
        times="\n".join(tables.times(results)),
        cuda=tables.cuda(about),
        collapsed=(27_420 - 20_908) // 2,
        step=_STEP,
        threads=about["threads"],
        mitsuba="\n".join(tables.mitsuba(results)),
        growth="\n".join(tables.growth(results)),
        plot=f"![]({plot.name})" if drawn else "No plot: matplotlib is not installed.",
    )
    write_text(path, text)
