"""Mitsuba's side of the rendering benchmark: seconds and errors against samples per pixel."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import torch
from render_bench.measure import load_reference, most_resident
from render_bench.scenes import Case, make_task

# Runs of each number of samples, with different seeds; the first warms up and is not timed.
_RUNS: Final = 5
# Seconds: the longest that the runs of one number of samples may be expected to take, after the
# first two numbers, whose times differ little.
_PATIENCE: Final = 20.0
_SURE: Final = 2
_UPDATES: Final = 6
_DOUBLINGS: Final = 10


def measure_mitsuba(
    case: Case, every: int, folder: Path, targets: list[dict[str, float]], threads: int
) -> dict[str, Any]:
    """Seconds and errors for ever more samples, until the smallest target is met.

    `targets` and the truth are those of `measure_errors`.
    """
    import drjit
    from render_bench.mitsuba_atlas import Atlas

    drjit.set_thread_count(threads)
    task, reference = make_task(case, folder), load_reference(folder, case)
    chosen = slice(None, None, every)
    some = task.at_frames(chosen)
    before = most_resident()
    atlas = Atlas(task.posed, task.camera)
    updates = [_timed(partial(atlas.move, task.posed.vertices))[0] for _ in range(_UPDATES)]

    def of_image(video: torch.Tensor) -> dict[str, float]:
        return {"pixels": float((video[0, chosen] - reference.video).square().mean().sqrt())}

    def of_gradient(gradient: torch.Tensor) -> dict[str, float]:
        return reference.errors(some, reference.video, gradient[0, chosen])

    images = ((2**power, partial(atlas.render, 2**power)) for power in range(_DOUBLINGS))
    steps = ((samples, partial(atlas.backward, task.weights, samples)) for samples in _ladder())
    return {
        "update": updates[1:],
        "forward": _climb(images, of_image, _smallest(targets, "pixels")),
        "backward": _climb(steps, of_gradient, _smallest(targets, "pose", "vertices")),
        "memory": most_resident() - before,
    }


def versions() -> dict[str, str]:
    """What computes."""
    import drjit
    import mitsuba

    return {"mitsuba": mitsuba.__version__, "drjit": drjit.__version__}


def _ladder() -> Iterator[tuple[int, int]]:
    """Samples a pixel inside surfaces, where they are cheap, and at silhouettes.

    Four to one is about the best division of the time; one to one is the least there is.
    """
    yield 1, 1
    for power in range(_DOUBLINGS):
        yield 4 * 2**power, 2**power


def _climb(
    steps: Iterable[tuple[Any, Callable[[int], torch.Tensor]]],
    errors: Callable[[torch.Tensor], dict[str, float]],
    targets: dict[str, float],
) -> list[dict[str, Any]]:
    """Seconds and errors of each step until the errors are small enough or patience ends.

    A step takes a seed. Errors are medians over the seeds: now and then a rare sample weighs much.
    """
    rows: list[dict[str, Any]] = []
    for samples, run in steps:
        runs = [_timed(partial(run, seed)) for seed in range(_RUNS)]
        seconds = [duration for duration, _ in runs[1:]]
        found = [errors(result) for _, result in runs]
        row = {key: median(each[key] for each in found) for key in found[0]}
        rows.append({"samples": samples, "seconds": seconds} | row)
        met = all(row[name] <= target for name, target in targets.items())
        if met or (len(rows) >= _SURE and 2 * _RUNS * median(seconds) > _PATIENCE):
            break
    return rows


def _smallest(targets: list[dict[str, float]], *names: str) -> dict[str, float]:
    return {name: min(target[name] for target in targets) for name in names}


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result
