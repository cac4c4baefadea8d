"""Networks that know nothing: a loaded architecture with weights as before any training."""

from typing import Any

import torch


def reinitialized(network: Any, generator: torch.Generator) -> Any:
    """A frozen network like `network`, on its device and in its type, with fresh weights."""
    seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    # Modules initialise themselves from the global generator, which is put back afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = type(network).from_config(network.config)
    return fresh.to(network.device, network.dtype).eval().requires_grad_(False)
