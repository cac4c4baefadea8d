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
    for parameter, original in zip(fresh.parameters(), network.parameters(), strict=True):
        # One by one: some networks keep a few modules in single precision beside half.
        parameter.data = parameter.data.to(original)
    return fresh.to(network.device).eval().requires_grad_(False)
