"""Denoisers whose networks are compiled at their first use."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Denoiser


@final
@dataclass(frozen=True)
class CompiledDenoiser(Denoiser):
    """Another denoiser, whose networks are to be compiled; a machine that cannot is told so."""

    denoiser: Denoiser

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        # Not at the top: it takes a second, for nothing where nothing is compiled.
        from torch._dynamo.exc import TorchDynamoException

        try:
            return self.denoiser.predict(scaled, time, conditioning)
        except TorchDynamoException as error:
            # The library hands the linker its own folder, cut at every space.
            folder = Path(torch.__file__).parent
            fix = "install a C++ compiler, such as g++, and for a GPU also Triton"
            if " " in str(folder):
                fix = f"move the Python environment out of a path with spaces ({folder})"
            reason = next((line for line in str(error).splitlines() if line.strip()), "no reason")
            raise ValueError(
                "`prior.compile` must be false where the denoiser cannot be compiled, got true "
                f"({type(error).__name__}: {reason.strip()}); leave it out, or {fix}."
            ) from error

    def randomized(self, generator: torch.Generator) -> "CompiledDenoiser":
        return compiled(self.denoiser.randomized(generator))


def compiled(denoiser: Denoiser) -> CompiledDenoiser:
    """The denoiser with each of its networks switched to compile itself; shapes may vary."""
    for part in vars(denoiser).values():
        if isinstance(part, torch.nn.Module):
            part.compile()
    return CompiledDenoiser(denoiser)
