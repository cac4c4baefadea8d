"""Our side of the rendering benchmark: seconds, memory, and errors of the gradient."""

import dataclasses
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float
from render_bench import truth
from render_bench.bodies import LOW_FACES, body_of, save_body
from render_bench.scenes import (
    Backend,
    Case,
    Task,
    body_path,
    by_pose,
    default_scene,
    make_task,
    unlit_scene,
)
from torch import Tensor

from motiondistill.render.scene import Scene
from motiondistill.structures import Motion

_WARM_UPS: Final = 3
_LEAST_REPEATS, _MOST_REPEATS = 5, 60


@dataclass(frozen=True)
class Effort:
    """How long to look."""

    seconds: float = 3.0
    """Of repeated runs, for every time."""
    runs: tuple[str, ...] = ("body and render", "render", "forward", "unlit")
    """What is timed: forward and backward, but for `forward`."""
    factors: tuple[int, ...] = (1, 2, 4)
    """Supersampling whose errors are found."""
    reference_pixels: int = 2048
    """Along each side of the images that the truth is read from."""
    least_samples: int = 16
    """Along each side of a pixel where it is point-sampled."""


def save_bodies(faces: list[int], folder: Path) -> None:
    """Files of bodies for the other jobs."""
    for count in faces:
        save_body(body_of(count), body_path(folder, count))


def measure_times(case: Case, folder: Path, backend: Backend, effort: Effort) -> dict[str, Any]:
    """Seconds of forward and backward, by what is included, and the most memory needed, bytes."""
    device = torch.device("cuda" if backend == "nvdiffrast" else "cpu")
    tiny = make_task(Case(LOW_FACES, 8, 1), folder, device)
    task = make_task(case, folder, device)
    default, unlit = default_scene(backend), unlit_scene(backend)
    through_body(tiny, default)  # compiled kernels are no memory of the case's
    before = _most_memory(device)
    through_body(task, default)
    memory = _most_memory(device) - before
    runs: dict[str, Callable[[], object]] = {
        "body and render": partial(through_body, task, default),
        "render": partial(from_vertices, task, default),
        "forward": partial(_forward, task, default),
        "unlit": partial(from_vertices, task, unlit),
    }
    seconds = {name: repeat(runs[name], device, effort.seconds) for name in effort.runs}
    return {"vertices": len(task.body.parts), "memory": memory, "seconds": seconds}


def measure_errors(case: Case, every: int, folder: Path, effort: Effort) -> dict[str, Any]:
    """Seconds and errors of the unlit scene with every supersampling factor.

    Every so many frames are compared with the truth, which is left in the folder for others.
    """
    task = make_task(case, folder)
    chosen = slice(None, None, every)
    some = task.at_frames(chosen)
    samples = max(effort.reference_pixels // case.size, effort.least_samples)
    clip = some.motion.map(lambda tensor: tensor[0])
    exact = truth.derivative_by_pose(task.body, clip, task.camera, some.weights[0], samples)
    factor = max(2, effort.reference_pixels // case.size)
    reference = Reference(exact, *_one_by_one(some, unlit_scene(supersampling=factor)))
    torch.save(dataclasses.asdict(reference), reference_path(folder, case))
    fine = {"factor": factor, **reference.errors(some, reference.video, reference.by_vertex)}
    rows = []
    for factor in effort.factors:
        scene = unlit_scene(supersampling=factor)
        video, gradient = from_vertices(task, scene)
        seconds = repeat(partial(from_vertices, task, scene), torch.device("cpu"), effort.seconds)
        errors = reference.errors(some, video[0, chosen], gradient[0, chosen])
        rows.append({"factor": factor, "seconds": seconds, **errors})
    return {"frames": len(exact), "samples": samples, "reference": fine, "factors": rows}


@dataclass(frozen=True)
class Reference:
    """What is true of some of a case's frames."""

    by_pose: Float[Tensor, "frames parameters"]
    """Finite differences."""
    video: Float[Tensor, "frames 3 size size"]
    """Our own image at high supersampling, as is the next."""
    by_vertex: Float[Tensor, "frames vertices 3"]

    def errors(
        self,
        task: Task,
        video: Float[Tensor, "frames 3 size size"],
        gradient: Float[Tensor, "frames vertices 3"],
    ) -> dict[str, float]:
        """Relative errors (L2) and cosines, and the root mean square error of the pixels."""
        motion = task.motion.map(lambda tensor: tensor[0])
        found = by_pose(task.body, motion, gradient)
        return {
            "pose": _relative(found, self.by_pose),
            "pose_cosine": _cosine(found, self.by_pose),
            "vertices": _relative(gradient, self.by_vertex),
            "vertices_cosine": _cosine(gradient, self.by_vertex),
            "pixels": float((video - self.video).square().mean().sqrt()),
        }


def reference_path(folder: Path, case: Case) -> Path:
    """Where `measure_errors` leaves what is true of the case."""
    return folder / f"reference-{case.faces}-{case.size}.pt"


def load_reference(folder: Path, case: Case) -> Reference:
    """What `measure_errors` found to be true of the case."""
    return Reference(**torch.load(reference_path(folder, case), weights_only=True))


def from_vertices(
    task: Task, scene: Scene
) -> tuple[Float[Tensor, "1 frames 3 size size"], Float[Tensor, "1 frames vertices 3"]]:
    """Forward and backward of the renderer alone: the video, and the loss' gradient."""
    vertices = task.posed.vertices.detach().requires_grad_()
    video = scene(dataclasses.replace(task.posed, vertices=vertices), task.camera)
    (gradient,) = torch.autograd.grad(video, vertices, task.weights)
    return video.detach(), gradient


def through_body(task: Task, scene: Scene) -> tuple[Tensor, ...]:
    """The same from the motion on: its gradient."""
    inputs = [tensor.detach().requires_grad_() for tensor in _tensors(task.motion)]
    motion = dataclasses.replace(task.motion, rotations=inputs[0], translation=inputs[1])
    video = scene(task.body(motion), task.camera)
    return torch.autograd.grad(video, inputs, task.weights)


def repeat(run: Callable[[], object], device: torch.device, budget: float) -> list[float]:
    """Seconds of single runs after some to warm up."""

    def once() -> float:
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    for _ in range(_WARM_UPS):
        once()
    seconds: list[float] = []
    while len(seconds) < _LEAST_REPEATS or (sum(seconds) < budget and len(seconds) < _MOST_REPEATS):
        seconds.append(once())
    return seconds


def most_resident() -> int:
    """The most memory that this process has ever held, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _most_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return most_resident()


def _one_by_one(
    task: Task, scene: Scene
) -> tuple[Float[Tensor, "frames 3 size size"], Float[Tensor, "frames vertices 3"]]:
    """`from_vertices` in the memory of one frame."""
    frames = range(task.motion.num_frames)
    found = [from_vertices(task.at_frames(slice(index, index + 1)), scene) for index in frames]
    videos, gradients = zip(*found, strict=True)
    return torch.cat(videos, 1)[0], torch.cat(gradients, 1)[0]


@torch.no_grad()
def _forward(task: Task, scene: Scene) -> Tensor:
    return scene(task.posed, task.camera)


def _tensors(motion: Motion) -> tuple[Tensor, Tensor]:
    return motion.rotations, motion.translation


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def _cosine(found: Tensor, expected: Tensor) -> float:
    return float((found * expected).sum() / (found.norm() * expected.norm()))
