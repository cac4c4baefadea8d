"""Single random numbers from an explicit generator."""

import torch


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    """A number from [low, high)."""
    return low + (high - low) * torch.rand((), generator=generator).item()


def index(generator: torch.Generator, count: int) -> int:
    """A whole number from 0 to count - 1."""
    return int(torch.randint(count, (), generator=generator).item())
