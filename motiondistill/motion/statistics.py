"""Statistics of poses: the mean rotation of every joint and how far joints turn from it.

Joint rotations lie on a curved space, so the mean is Karcher's, which minimises the mean squared
angle, and spread is measured in the tangent at the mean: the axis-angle vectors
`v = log(R mean^T)`, radians, in the parent's frame.

`pose_statistics/README.md` is the card of the shipped file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from motiondistill import rotations

GENERIC: Final = "generic"
"""The statistics of all actions together."""

FILE: Final = Path(__file__).parent / "pose_statistics" / "model.safetensors"
# Joint positions say nothing about some twists (wrists, toes): their spread would be zero, and a
# range of zero width has no gradient.
_LEAST_STD: Final = 0.05
_MAX_ITERATIONS: Final = 100
_CONVERGED: Final = 1e-10  # radians, float64


@dataclass(frozen=True)
class PoseStatistics:
    """Mean and spread of the joints below the pelvis."""

    mean: Float[Tensor, "below 3 3"]
    covariance: Float[Tensor, "numbers numbers"]
    """Of all joints' tangent vectors, joint by joint, rad^2; symmetric, may be singular."""

    @property
    def std(self) -> Float[Tensor, "below 3"]:
        """Standard deviations on each axis of the tangent, radians, of at least 0.05.

        What the recordings cannot tell would otherwise be held still.
        """
        variances = self.covariance.diagonal().reshape(len(self.mean), 3)
        return variances.sqrt().clamp(min=_LEAST_STD)

    @property
    def precision(self) -> Float[Tensor, "numbers numbers"]:
        """Inverse of the covariance, 1/rad^2, with variances of at least 0.05^2 along all axes."""
        variances, axes = torch.linalg.eigh(self.covariance.double())
        inverse: Tensor = axes / variances.clamp(min=_LEAST_STD**2) @ axes.mT
        return inverse.to(self.covariance)

    def offsets(self, pose: Float[Tensor, "*batch below 3 3"]) -> Float[Tensor, "*batch below 3"]:
        """Tangent vectors from the mean to these poses; differentiable short of half turns."""
        return _offsets(pose, self.mean.to(pose))


def pose_statistics(
    poses: Float[Tensor, "poses below 3 3"], weights: Float[Tensor, " poses"]
) -> PoseStatistics:
    """The statistics of these poses, in float64; the weights are positive and need not add to one.

    The covariance divides by the sum of the weights. Raises ValueError where the mean is not found.
    """
    poses, share = poses.double(), (weights / weights.sum()).double()
    mean = karcher_mean(poses, share)
    vectors = _offsets(poses, mean).flatten(1)
    return PoseStatistics(mean, (share[:, None] * vectors).T @ vectors)


def karcher_mean(
    poses: Float[Tensor, "poses *joints 3 3"], weights: Float[Tensor, " poses"]
) -> Float[Tensor, "*joints 3 3"]:
    """The rotation from which the weighted squared angles to the poses are smallest.

    From the chordal mean on, `mean <- exp(sum_i w_i log(R_i mean^T)) mean` (Karcher 1977) until it
    stays; the weights add to one. Raises ValueError where it does not settle, as it may where
    rotations lie all around.
    """
    weights = weights.reshape(-1, *[1] * (poses.ndim - 1))
    mean = rotations.nearest((weights * poses).sum(0))
    for _ in range(_MAX_ITERATIONS):
        vectors = _offsets(poses, mean)
        step = (weights[..., 0] * vectors).sum(0)
        mean = rotations.from_axis_angle(step) @ mean
        if float(step.norm(dim=-1).max()) < _CONVERGED:
            return mean
    raise ValueError(
        f"`poses` must have a mean rotation, got {len(poses)} that are spread too far; "
        "leave out what turns all the way round."
    )


def save_statistics(
    path: Path, every: Mapping[str, PoseStatistics], about: Mapping[str, object]
) -> None:
    """All statistics by name in one safetensors file, float32; `about` is told beside them.

    Of an action only the mean and the standard deviations are kept.
    """
    tensors = {}
    for name, statistics in every.items():
        covariance = statistics.covariance
        kept = covariance if name == GENERIC else covariance.diagonal()
        tensors[f"{name}/mean"] = statistics.mean.float().clone()
        tensors[f"{name}/covariance"] = kept.float().clone(memory_format=torch.contiguous_format)
    save_file(tensors, path, {"about": json.dumps(about, sort_keys=True)})


def load_statistics(name: str = GENERIC, file: Path = FILE) -> PoseStatistics:
    """The statistics of this name; those of actions have covariances without mixed terms.

    Raises ValueError that lists the names there are, and for a damaged file.
    """
    with _opened(file) as stored:
        if name not in (known := _names(stored)):
            raise ValueError(
                f"`name` must be one of {', '.join(sorted(known - {GENERIC}))}, {GENERIC}, got "
                f"{name!r}; choose one of them."
            )
        mean, covariance = (stored.get_tensor(f"{name}/{kind}") for kind in ("mean", "covariance"))
    if covariance.ndim == 1:
        covariance = torch.diag(covariance)
    return PoseStatistics(mean, covariance)


def known_actions(file: Path = FILE) -> tuple[str, ...]:
    """The actions that have statistics of their own."""
    with _opened(file) as stored:
        return tuple(sorted(_names(stored) - {GENERIC}))


def told_of(file: Path = FILE) -> dict[str, Any]:
    """What the file tells of its making: command, commit, clips and seconds of each action."""
    with _opened(file) as stored:
        about: dict[str, Any] = json.loads((stored.metadata() or {}).get("about", "{}"))
        return about


def _offsets(
    poses: Float[Tensor, "*batch 3 3"], mean: Float[Tensor, "*#batch 3 3"]
) -> Float[Tensor, "*batch 3"]:
    vectors: Tensor = rotations.to_axis_angle(poses @ mean.transpose(-1, -2))
    return vectors


def _opened(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt")
    except SafetensorError as error:
        raise ValueError(
            f"`{file}` must be a complete safetensors file ({error}); copy it anew."
        ) from error


def _names(stored: Any) -> set[str]:
    return {key.rsplit("/", 1)[0] for key in stored.keys()}
