"""Weights of noise levels: what a residual counts in a gradient.

Every objective gives a residual `r` in the units of clean latents; for plain score distillation it
is `x0 - D(x0 + sigma n)`. A weighting is the factor of r in the gradient. The residuals of the
other predictions are multiples of r, so a weight is the same number only together with its
residual. With `scaled = a x0 + s n`, `sigma = s / a`, hats for predictions, and in the
variance-preserving form `a^2 + s^2 = 1`:

    noise      eps_hat - eps = r / sigma
    velocity   v_hat - v = r sqrt(1 + sigma^2) / sigma,  v = a eps - s x0
    flow       u_hat - u = r (1 + sigma) / sigma,  u = eps - x0,  a = 1 - tau,  s = tau
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

Weighting = Callable[[Tensor], Tensor]
"""The factor of the residual at each sigma."""


def variance(sigma: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """`w (eps_hat - eps)` with `w = s^2 = 1 - abar`: the weight of DreamFusion's SDS."""
    return sigma / (1 + sigma.square())


def uniform(sigma: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """`eps_hat - eps` as it is."""
    return 1 / sigma


def fantasia3d(sigma: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """`w (eps_hat - eps)` with `w = a s^2 = sqrt(abar) (1 - abar)` (Chen et al. 2023)."""
    return sigma / (1 + sigma.square()) ** 1.5


def clean(sigma: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """The residual of the clean estimate itself: half the squared distance to what is wanted."""
    return sigma.new_ones(()).expand_as(sigma)


def velocity(sigma: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """`v_hat - v`: the noise residual over a."""
    return (1 + sigma.square()).sqrt() / sigma


def flow(sigma: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """`u_hat - (eps - x0)`: score distillation's rectified-flow form; r over the flow time tau."""
    return (1 + sigma) / sigma
