"""The one loop that trains every network: seeded, averaged, and resumable bit for bit.

On one core (AVX2, float32) two thirds of a step of the video prior are matrix products at the
core's limit. Compiling the denoiser saves at least 8 % of a step, and is offered. Left out, as they
save little: fused AdamW (1 %), the text's keys computed once for all frames (4 %), and channels
last, which saves the image prior 6 % and costs the training of the codec 10 %.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from embedded_training.denoising import Batch
from motiondistill.checkpoints import Tree
from motiondistill.randomness import seeded

Draw = Callable[[torch.Generator], Batch]
"""Draws all of one step's batch, on the CPU."""


@dataclass(frozen=True)
class Recipe:
    """All that a training depends on beside its data and its networks.

    A length is a part of it, as the rate follows a cosine over all steps. So there is no budget of
    minutes: what a busy machine does in an hour, no other could repeat.
    """

    steps: int
    batch: int
    """Clips or frames a step, over all processes."""
    rate: float
    """The peak of the learning rate."""
    seed: int
    warm_up: int = 100
    """Steps until the peak."""
    decay: float = 0.9985
    """What the average keeps at every step."""
    start: str = ""
    """The folder whose networks are trained on; without, they are new."""
    emphasis: float = 0.0
    """On errors where actions move; 0 is none."""


@dataclass(frozen=True)
class Update:
    """One step that was taken."""

    step: int
    """How many steps have been taken."""
    loss: float
    rate: float


class Training:
    """All that changes while a network is trained, and that a checkpoint holds.

    `module` takes a batch as keywords and gives the loss of each element.
    """

    def __init__(self, module: nn.Module, recipe: Recipe, accelerator: Accelerator) -> None:
        if recipe.batch % accelerator.num_processes:
            raise ValueError(
                f"`batch` must be a multiple of the {accelerator.num_processes} processes, got "
                f"{recipe.batch}; choose another --batch."
            )
        module = module.to(accelerator.device)
        self.recipe, self.accelerator, self.step = recipe, accelerator, 0
        self.average = copy.deepcopy(module).eval().requires_grad_(False)
        optimizer = torch.optim.AdamW(module.parameters(), betas=(0.9, 0.99), weight_decay=0.01)
        self.module, self.optimizer = accelerator.prepare(module.train(), optimizer)

    def state(self) -> Tree:
        """What a checkpoint holds."""
        return {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "module": self._plain().state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: Tree) -> None:
        """Goes back to a checkpoint; raises ValueError for one of another recipe."""
        recipe = asdict(self.recipe)
        # What a checkpoint of an earlier version does not name, it cannot contradict.
        for name, before in state["recipe"].items():
            if recipe.get(name) != before:
                raise ValueError(
                    f"`{name}` must be {before!r} as this training began, got "
                    f"{recipe.get(name)!r}; give that, or name another --out."
                )
        self._plain().load_state_dict(state["module"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def take_step(self, batch: Batch) -> Update:
        """One step of AdamW and of the average; raises FloatingPointError for a loss of no size."""
        rate = rate_at(self.recipe, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self.module(**batch).mean()
        whole = self.accelerator.reduce(loss.detach(), "mean").item()
        if not math.isfinite(whole):
            raise FloatingPointError(
                f"the loss of step {self.step} is {whole} (seed {self.recipe.seed}); lower --rate."
            )
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        self._follow()
        self.step += 1
        return Update(self.step, whole, rate)

    @torch.no_grad()
    def _follow(self) -> None:
        # At first shorter than later: else the average would remember the random start for long.
        keep = min(self.recipe.decay, (self.step + 1) / (self.step + 10))
        pairs = zip(self.average.parameters(), self._plain().parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, 1 - keep)

    def _plain(self) -> nn.Module:
        plain: nn.Module = self.accelerator.unwrap_model(self.module)
        return plain


def updates(training: Training, draw: Draw) -> Iterator[Update]:
    """Takes the steps that are left, and yields each.

    Every process draws the whole batch and takes its share, so that their number does not matter.
    """
    accelerator, recipe = training.accelerator, training.recipe
    share = slice(accelerator.process_index, None, accelerator.num_processes)
    while training.step < recipe.steps:
        batch = draw(seeded(recipe.seed, training.step, "batch"))
        yield training.take_step(
            {name: tensor[share].to(accelerator.device) for name, tensor in batch.items()}
        )


def rate_at(recipe: Recipe, step: int) -> float:
    """The learning rate: a linear warm-up, then a cosine down to a fiftieth."""
    cosine = 0.02 + 0.98 * (1 + math.cos(math.pi * step / recipe.steps)) / 2
    return recipe.rate * min(1.0, (step + 1) / recipe.warm_up) * cosine


def make_accelerator(device: str) -> Accelerator:
    """What spreads the work: brain floats on a GPU and on CPUs that multiply them.

    On other CPUs they cost tenfold.
    """
    cpu = device == "cpu"
    fast = not cpu or torch.cpu._is_avx512_bf16_supported()
    return Accelerator(cpu=cpu, mixed_precision="bf16" if fast else "no")


def average_of(training: Training) -> Any:
    """The averaged network, on the CPU: what is kept."""
    return copy.deepcopy(training.average).cpu()
