"""How fast is the renderer, how does its cost grow, and how does it compare with Mitsuba 3?

    python experiments/bench_render.py [--threads 2] [--out results/bench_render.md] [--quick]

Forward and backward of 16 frames: seconds, memory and errors of the gradient, every case in a
process of its own. Mitsuba 3 and the plot need `pip install .[bench]`, and Mitsuba an LLVM, see
experiments/README.md; nvdiffrast is measured where it is installed and finds a CUDA device. Without
them the page says so.

Writes the page, and the plot beside it. `--quick` shows in seconds that our own side works: tiny
images, one process, and no page unless --out names one.
"""

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Only the standard library up here: a new process is charged with the memory of the one that
# started it, so this one stays small.
from render_bench.page import write_page
from render_bench.tables import Results

LOW, FULL, SMPLX = 2_454, 27_420, 20_908
Size = tuple[int, int, int]
"""Triangles, pixels along a side, frames."""


@dataclass(frozen=True)
class Plan:
    """What to measure, and how long."""

    main: dict[Size, int] = field(
        default_factory=lambda: {(LOW, 64, 16): 1, (FULL, 256, 16): 4, (SMPLX, 256, 16): 4}
    )
    """The first of how many frames each are compared with the truth."""
    growth: dict[str, list[Size]] = field(
        default_factory=lambda: {
            "frames": [(LOW, 64, frames) for frames in (1, 4, 16, 64)],
            "pixels": [(LOW, size, 16) for size in (32, 64, 128, 256, 512)],
            "faces": [(n, 256, 16) for n in (LOW, 5_000, 10_000, SMPLX, FULL, 4 * FULL)],
        }
    )
    effort: dict[str, Any] = field(default_factory=dict)
    """See `measure.Effort`."""
    brief: dict[str, Any] = field(
        default_factory=lambda: {"seconds": 1.0, "runs": ("body and render",)}
    )
    """The same for the growth."""
    mitsuba: bool = True


QUICK = Plan(
    main={(LOW, 16, 2): 1},
    growth={"frames": [(LOW, 16, 1), (LOW, 16, 2)]},
    effort={"seconds": 0.0, "factors": (1, 2), "reference_pixels": 64, "least_samples": 4},
    brief={"seconds": 0.0, "runs": ("body and render",)},
    mitsuba=False,
)


def measure_all(plan: Plan, run: Callable[[dict[str, Any]], Any]) -> Results:
    """Everything, job by job."""
    about = run({"kind": "about"})
    growing = sorted({size for sizes in plan.growth.values() for size in sizes})
    faces = sorted({size[0] for size in [*plan.main, *growing]} | {LOW})
    run({"kind": "bodies", "faces": faces})
    results = Results(about)
    backends = ["cpu", *(["nvdiffrast"] if about["nvdiffrast"] else [])]
    for size in plan.main:
        for backend in backends:
            job = {"kind": "times", "case": size, "backend": backend, "effort": plan.effort}
            results.times[size, backend] = run(job)
    found = {}
    for size in growing:
        job = {"kind": "times", "case": size, "backend": "cpu", "effort": plan.brief}
        found[size] = run(job)
    for what, sizes in plan.growth.items():
        results.growth[what] = {size: found[size] for size in sizes}
    for size, every in plan.main.items():
        job = {"case": size, "every": every, "effort": plan.effort}
        results.errors[size] = run({"kind": "errors"} | job)
        if plan.mitsuba and about["mitsuba"]:
            targets = results.errors[size]["factors"]
            results.mitsuba[size] = run({"kind": "mitsuba", "targets": targets} | job)
    return results


def carry_out(job: dict[str, Any]) -> Any:
    """Does one job; its result is plain data."""
    import torch
    from render_bench import compare, measure
    from render_bench.scenes import Case

    torch.set_num_threads(job["threads"])
    folder = Path(job["folder"])
    match job["kind"]:
        case "about":
            return describe(job["threads"])
        case "bodies":
            return measure.save_bodies(job["faces"], folder)
    size, effort = Case(*job["case"]), measure.Effort(**job["effort"])
    match job["kind"]:
        case "times":
            return measure.measure_times(size, folder, job["backend"], effort)
        case "errors":
            return measure.measure_errors(size, job["every"], folder, effort)
        case "mitsuba":
            return compare.measure_mitsuba(
                size, job["every"], folder, job["targets"], job["threads"]
            )
        case kind:
            raise ValueError(f"`kind` must be that of a job, got {kind!r}.")


def describe(threads: int) -> dict[str, Any]:
    """The machine, and the versions of everything that computes."""
    import numba
    import torch

    from motiondistill.bookkeeping.store import origin
    from motiondistill.render import nvdiffrast

    names = {"torch": torch.__version__, "numba": numba.__version__}
    has_mitsuba = importlib.util.find_spec("mitsuba") is not None
    if has_mitsuba:
        from render_bench.compare import versions

        names |= versions()
    cuda = torch.cuda.is_available()
    return {
        "commit": origin("")["commit"],
        "machine": f"{_processor()} ({os.cpu_count()} cores)",
        "threads": threads,
        "versions": {"Python": platform.python_version()} | names,
        "mitsuba": has_mitsuba,
        "nvdiffrast": nvdiffrast.available(),
        "device": torch.cuda.get_device_name() if cuda else None,
    }


def in_new_process(job: dict[str, Any]) -> Any:
    """The job's result from a process that ends with it."""
    print(*(job[key] for key in ("kind", "case", "backend") if key in job), flush=True)
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(f"this job failed with code {done.returncode}: {job}")
    return json.loads(done.stdout.splitlines()[-1])


def _processor() -> str:
    """The processor's name as Linux has it, or else its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} {platform.machine()}" if names else platform.machine()


def main() -> None:
    """All jobs, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(carry_out(options.job)))
        return
    out = options.out or (None if options.quick else Path("results/bench_render.md"))
    perform = carry_out if options.quick else in_new_process
    with tempfile.TemporaryDirectory() as folder:
        shared = {"threads": options.threads, "folder": folder}
        plan = QUICK if options.quick else Plan()
        results = measure_all(plan, lambda job: perform(job | shared))
    if out is not None:
        write_page(results, out)


if __name__ == "__main__":
    main()
