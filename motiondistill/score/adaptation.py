"""How a prior learns what the optimised clips look like, for `vsd`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.priors.base import Conditioning, Prior, per_sample
from motiondistill.score.weightings import velocity


@final
@dataclass(frozen=True)
class Lesson:
    """What an adaptation is to learn of the clips; nothing is learned before it follows."""

    loss: Float[Tensor, ""]
    """How well it knows them; no gradient history."""
    gradients: Sequence[Float[Tensor, "..."]]
    """By its parameters, in their order."""
    learning_rate: float

    def is_finite(self) -> bool:
        """Whether every gradient is."""
        return all(bool(gradient.isfinite().all()) for gradient in self.gradients)


@final
@dataclass
class Adaptation:
    """The adapted prior's own parameters, and their optimiser."""

    parameters: nn.ParameterList

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.Adam(self.parameters)

    def lesson(self, loss: Float[Tensor, ""], learning_rate: float) -> Lesson:
        """What lowers the loss; its graph is freed, and nothing is changed."""
        gradients = torch.autograd.grad(loss, list(self.parameters), materialize_grads=True)
        return Lesson(loss.detach(), gradients, learning_rate)

    def follow(self, lesson: Lesson) -> None:
        """One step of Adam."""
        for group in self.optimizer.param_groups:
            group["lr"] = lesson.learning_rate
        for parameter, gradient in zip(self.parameters, lesson.gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        self.optimizer.zero_grad()

    def to(self, device: torch.device) -> None:
        """Moves the parameters, and with them what the optimiser remembers of them."""
        for parameter in self.parameters:
            parameter.data = parameter.data.to(device)
        self.optimizer.load_state_dict(self.optimizer.state_dict())


def adaptation_loss(
    adapted: Prior,
    latents: Float[Tensor, "B C f h w"],
    conditioning: Conditioning,
    sigma: Float[Tensor, " B"],
    noise: Float[Tensor, "B C f h w"],
) -> Float[Tensor, ""]:
    """The denoising error on the clips, differentiable in the adapted prior's parameters.

    The mean square of `v_hat - v`, which is about one at every level for a network that knows
    nothing. `sigma` is snapped.
    """
    clips, level = latents.detach(), per_sample(sigma, latents)
    clean = adapted.denoise(clips + level * noise, sigma, conditioning)
    return (velocity(level) * (clean - clips)).square().mean()
