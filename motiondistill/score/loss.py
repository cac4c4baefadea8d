"""From what a prior asks for to a scalar with that gradient."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import per_sample
from motiondistill.score.weightings import Weighting, variance


@final
@dataclass(frozen=True)
class Shaping:
    """What is done to a gradient before it is followed; by default nothing."""

    amplification: float = 1.0
    """Factor of its difference from its mean over time; 1 is none."""
    max_rms: float | None = None
    """Largest root mean square of a clip's gradient, before it is divided by the latents."""

    def __call__(self, gradient: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B C f h w"]:
        """The shaped gradient."""
        if self.amplification != 1:
            gradient = amplified(gradient, self.amplification)
        return gradient if self.max_rms is None else clipped(gradient, self.max_rms)


def amplified(gradient: Float[Tensor, "B C f h w"], factor: float) -> Float[Tensor, "B C f h w"]:
    """The mean over time plus `factor` times the rest (Ling et al. 2024, motion amplification).

    What changes in time is asked for more strongly than what stays; so is the noise of a draw,
    which differs between frames, too.
    """
    still = gradient.mean(2, keepdim=True)
    return still + factor * (gradient - still)


def clipped(gradient: Float[Tensor, "B C f h w"], max_rms: float) -> Float[Tensor, "B C f h w"]:
    """Each clip's gradient, made shorter where its root mean square is above `max_rms`."""
    size = gradient.square().mean((1, 2, 3, 4), keepdim=True).sqrt()
    # One and no less for what is short enough; no size is not divided by.
    return gradient * (max_rms / size.clamp(min=max_rms))


def score_gradient(
    residual: Float[Tensor, "B C f h w"],
    sigma: Float[Tensor, " B"],
    weighting: Weighting = variance,
    shaping: Shaping | None = None,
) -> Float[Tensor, "B C f h w"]:
    """What a latent is to change by, before it is divided by their number; no gradient history."""
    gradient = weighting(per_sample(sigma, residual)) * residual.detach()
    return gradient if shaping is None else shaping(gradient)


def score_loss(
    latents: Float[Tensor, "B C f h w"], gradient: Float[Tensor, "B C f h w"]
) -> Float[Tensor, ""]:
    """A scalar with this gradient, divided by the number of latents.

    So what it asks of a motion depends neither on views, nor on frames, nor on resolution. The
    value itself means nothing.
    """
    return (gradient.detach() * latents).sum() / latents.numel()


def root_mean_square(tensor: Float[Tensor, "B C f h w"]) -> Float[Tensor, ""]:
    """Of all its numbers together."""
    return tensor.square().mean().sqrt()
