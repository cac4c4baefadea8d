"""Single random numbers from an explicit generator."""

import torch

_START_JITTER = 0.05


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    """A number from [low, high)."""
    return low + (high - low) * torch.rand((), generator=generator).item()


def start_phase(generator: torch.Generator) -> float:
    """The share of its cycle in which a motion starts: near 0, for all motions of an action.

    So the words alone say what happens when. Where phases were free, a small video model learned
    the mean pose of an action and kept its limbs still.
    """
    return uniform(generator, -_START_JITTER, _START_JITTER)


def index(generator: torch.Generator, count: int) -> int:
    """A whole number from 0 to count - 1."""
    return int(torch.randint(count, (), generator=generator).item())
