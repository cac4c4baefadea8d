"""Random generators that depend on nothing but (seed, step, stream).

Any step of any run can be drawn again.
"""

import hashlib

import torch


def seeded(seed: int, step: int = 0, stream: str = "") -> torch.Generator:
    """A CPU generator for one purpose (`stream`) at one step of the run with this seed.

    The three are hashed, so neighbouring seeds, steps and streams give unrelated draws.
    """
    digest = hashlib.sha256(f"{seed}/{step}/{stream}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def uniform(generator: torch.Generator, low: float = 0.0, high: float = 1.0) -> float:
    """A number from [low, high)."""
    return low + (high - low) * torch.rand((), generator=generator).item()
