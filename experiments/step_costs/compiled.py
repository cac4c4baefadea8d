"""What compiling gives the shipped prior's denoiser."""

import statistics
import time

import torch
from torch import Tensor

from motiondistill.priors.base import DiffusersPrior
from motiondistill.priors.loading import EMBEDDED_PRIOR, load_prior

PASSES = 21


def compiled_line() -> str:
    """The shipped prior's denoiser as it is and compiled: one pass over a clip with guidance."""
    plain, fast = (load_prior(EMBEDDED_PRIOR, compile_denoiser=choice) for choice in (False, True))
    native = plain.format
    shape = plain.latent_shape(native.frames, native.height, native.width)
    noise = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    conditioning, sigma = plain.embed(["a person is walking", ""]), plain.snap(torch.ones(2))

    @torch.no_grad()
    def passed(prior: DiffusersPrior) -> tuple[Tensor, float]:
        started = time.process_time()
        return prior.denoise(noise, sigma, conditioning), time.process_time() - started

    exact, _ = passed(plain)
    answer, first = passed(fast)
    slow, quick = (
        statistics.median(passed(prior)[1] for _ in range(PASSES)) for prior in (plain, fast)
    )
    error = ((answer - exact).abs().max() / exact.abs().max()).item()
    return (
        f"| {slow * 1e3:.1f} | {quick * 1e3:.1f} | {quick / slow:.2f} | {first:.0f} | {error:.0e} |"
    )
