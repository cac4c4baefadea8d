"""What the stages of a run share: their settings, what changes, and what each update tells."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.engine import parallel
from motiondistill.engine.critics import Method
from motiondistill.engine.distillation import Verdict
from motiondistill.engine.gradients import Watched, clip
from motiondistill.engine.memory import Memory
from motiondistill.engine.profile import timed
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.starts import FitSettings, Problem, motion_of
from motiondistill.regularizers.weights import RegularizerWeights, penalties
from motiondistill.structures import Mesh, Motion

Stage = Literal["fit", "distill"]


@dataclass(frozen=True)
class Settings:
    """All knobs of the job."""

    fit: FitSettings
    distill: DistillSettings
    regularize: RegularizerWeights
    method: Method
    """What `distill` names."""

    @property
    def num_steps(self) -> int:
        """Updates of both stages together."""
        return self.fit.updates + self.distill.num_steps


@dataclass
class State:
    """All that changes during a run; what a checkpoint holds."""

    stage: Stage
    fields: nn.ModuleList
    """The candidates while fitting; the chosen one while distilling."""
    targets: Float[Tensor, "samples frames 3 height width"] | None
    """The sampled videos, while fitting to them."""
    step: int = 0
    memories: list[Memory] = dataclasses.field(default_factory=list)
    """What the distillation keeps from one update to the next, for each critic; at first none."""

    def __post_init__(self) -> None:
        self.optimizer = _adam(self.fields)

    @timed("optimise")
    def update(
        self,
        loss: Float[Tensor, ""],
        learning_rate: float,
        watched: Watched | None = None,
        max_norm: float | None = 1.0,
    ) -> None:
        """One step of Adam; the gradient of each field is first made as short as `max_norm`.

        Raises FloatingPointError, and changes nothing, for a gradient that is not finite.
        """
        self.optimizer.zero_grad()
        with timed("backward"):
            loss.backward()  # type: ignore[no-untyped-call]
        clip(self.fields, max_norm, watched)  # each by itself: candidates do not know of each other
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        parallel.follow_first(self.fields.parameters())
        self.step += 1

    def keep(self, indices: Sequence[int]) -> None:
        """Only these candidates go on, with what their optimiser remembers."""
        before = self.optimizer
        self.fields = nn.ModuleList([self.fields[index] for index in indices])
        self.optimizer = _adam(self.fields)
        for parameter in self.fields.parameters():
            self.optimizer.state[parameter] = before.state[parameter]

    def begin_distilling(self, field: nn.Module) -> None:
        """Ends the fit: only this candidate goes on, with a fresh optimiser."""
        self.stage, self.fields, self.targets = "distill", nn.ModuleList([field]), None
        self.optimizer = _adam(self.fields)


@dataclass(frozen=True)
class Step:
    """One update, detached: what a caller logs, shows or saves."""

    index: int
    stage: Stage
    loss: Float[Tensor, ""]
    terms: dict[str, Float[Tensor, ""]]
    motion: Motion
    """After the update; while fitting, the first candidate's."""
    video: Float[Tensor, "batch frames 3 height width"] | None
    """What the update was made from; None in a fit to a reference, which needs no picture."""
    target: Float[Tensor, "views C f h w"] | None = None
    """While distilling, the latents that the prior asked for."""
    figures: dict[str, Float[Tensor, ""]] = dataclasses.field(default_factory=dict)
    """What else there is to record of the update."""
    gradients: dict[str, Float[Tensor, ""]] = dataclasses.field(default_factory=dict)
    """Root mean squares of the gradient at latents, pixels, vertices and pose (rotations)."""


def whole_motions(problem: Problem, fields: nn.ModuleList, seen: Motion) -> Motion:
    """The fields' motions of which the prior has `seen` all, or a window."""
    if problem.window is None and not problem.loop:
        return seen
    return Motion.stack([motion_of(problem, field) for field in fields])


@timed("regularise")
def whole_penalties(
    problem: Problem, settings: Settings, whole: Motion, mesh: Mesh | None
) -> dict[str, Float[Tensor, ""]]:
    """What the whole motions cost; their mesh is made where the prior has seen a window alone."""
    posed = problem.body(whole) if mesh is None else mesh
    return penalties(whole, posed, settings.regularize, problem.references)


def total(problem: Problem, index: int, terms: dict[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
    """The sum of the terms; raises FloatingPointError if it is not finite."""
    loss = torch.stack(list(terms.values())).sum()
    if not bool(loss.isfinite()):
        values = ", ".join(f"{name} {term.item():g}" for name, term in terms.items())
        broken = [name for name, term in terms.items() if not bool(term.isfinite())]
        raise FloatingPointError(
            f"The loss must be finite, got {loss.item()} ({values}) at {problem.place(index)} by "
            f"{' and '.join(broken) or 'the sum'}; lower the learning rate or the guidance."
        )
    return loss


def _adam(fields: nn.ModuleList) -> torch.optim.Adam:
    return torch.optim.Adam(fields.parameters(), betas=(0.9, 0.99))


def record(
    index: int,
    stage: Stage,
    loss: Float[Tensor, ""],
    terms: dict[str, Float[Tensor, ""]],
    motion: Motion,
    video: Float[Tensor, "batch frames 3 height width"] | None,
    verdict: Verdict | None = None,
    *,
    gradients: dict[str, Float[Tensor, ""]],
) -> Step:
    """The update, detached."""
    return Step(
        index,
        stage,
        loss.detach(),
        {name: term.detach() for name, term in terms.items()},
        motion.detach(),
        None if video is None else video.detach(),
        None if verdict is None else verdict.target,
        {} if verdict is None else verdict.figures,
        gradients,
    )
