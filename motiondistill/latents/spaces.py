"""Where free clips live, and what they are compared with, for the latent ablation."""

import abc
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Prior


class Space(abc.ABC):
    """What stands for the clips: the numbers that an optimiser changes."""

    @abc.abstractmethod
    def begin(
        self, prior: Prior, video: Float[Tensor, "views frames 3 height width"]
    ) -> Float[Tensor, "views ..."]:
        """The numbers of this video, without gradient history."""

    @abc.abstractmethod
    def latents(
        self, prior: Prior, numbers: Float[Tensor, "views ..."]
    ) -> Float[Tensor, "views C f h w"]:
        """The prior's latents of the clips; differentiable."""

    @abc.abstractmethod
    def video(
        self, prior: Prior, numbers: Float[Tensor, "views ..."]
    ) -> Float[Tensor, "views frames 3 height width"]:
        """The clips as they are seen, sRGB in [0, 1]; no gradient history."""

    @abc.abstractmethod
    def confine(self, numbers: Float[Tensor, "views ..."]) -> None:
        """Puts numbers that stand for no clip back to the nearest that do, in place."""


@final
@dataclass(frozen=True)
class LatentSpace(Space):
    """The prior's own latents, which may be any."""

    def begin(
        self, prior: Prior, video: Float[Tensor, "views frames 3 height width"]
    ) -> Float[Tensor, "views ..."]:
        return encoded(prior, video)

    def latents(
        self, prior: Prior, numbers: Float[Tensor, "views ..."]
    ) -> Float[Tensor, "views C f h w"]:
        return numbers

    def video(
        self, prior: Prior, numbers: Float[Tensor, "views ..."]
    ) -> Float[Tensor, "views frames 3 height width"]:
        return decoded(prior, numbers)

    def confine(self, numbers: Float[Tensor, "views ..."]) -> None:
        pass


@final
@dataclass(frozen=True)
class PixelSpace(Space):
    """The video itself, in [0, 1]; its gradient comes through the encoder."""

    def begin(
        self, prior: Prior, video: Float[Tensor, "views frames 3 height width"]
    ) -> Float[Tensor, "views ..."]:
        return video.detach()

    def latents(
        self, prior: Prior, numbers: Float[Tensor, "views ..."]
    ) -> Float[Tensor, "views C f h w"]:
        return prior.encode(numbers)

    def video(
        self, prior: Prior, numbers: Float[Tensor, "views ..."]
    ) -> Float[Tensor, "views frames 3 height width"]:
        return numbers.detach().clone()

    @torch.no_grad()
    def confine(self, numbers: Float[Tensor, "views ..."]) -> None:
        numbers.clamp_(0, 1)


@torch.no_grad()
def encoded(
    prior: Prior, video: Float[Tensor, "views frames 3 height width"]
) -> Float[Tensor, "views C f h w"]:
    """The video's latents, view by view: several may be more than there is memory for."""
    return torch.cat([prior.encode(view[None]) for view in video])


@torch.no_grad()
def decoded(
    prior: Prior, latents: Float[Tensor, "views C f h w"]
) -> Float[Tensor, "views frames 3 height width"]:
    """The video of the latents, view by view."""
    return torch.cat([prior.decode(view[None]) for view in latents])


@runtime_checkable  # for the type checks of the tests
class LatentReference(Protocol):
    """What objectives that compare hold clips against."""

    def __call__(
        self,
        prior: Prior,
        latents: Float[Tensor, "views C f h w"],
        start: Float[Tensor, "views C f h w"],
    ) -> Float[Tensor, "views C f h w"]:
        """The latents to compare with, from those now and those at the outset."""
        ...


def as_begun(
    prior: Prior, latents: Float[Tensor, "views C f h w"], start: Float[Tensor, "views C f h w"]
) -> Float[Tensor, "views C f h w"]:
    """The clips at the outset, for `dds`."""
    return start


@torch.no_grad()
def held_still(
    prior: Prior, latents: Float[Tensor, "views C f h w"], start: Float[Tensor, "views C f h w"]
) -> Float[Tensor, "views C f h w"]:
    """The clips frozen to their mean frame, for `moving_minus_static`.

    In pixels: a mean over the frames of latents is no still clip where an autoencoder joins frames,
    as its first latent frame stands for one frame and the others for several. What freezing changes
    is added to the latents, `z + E(mean(D(z))) - E(D(z))`, so that the autoencoder's own error
    cancels: a clip that stands still is its own reference, to the last bit.
    """
    video = decoded(prior, latents)
    still = video.mean(1, keepdim=True).expand_as(video)
    # A mean of equal numbers is not always that number.
    still = torch.where((video == video[:, :1]).all(1, keepdim=True), video, still)
    return latents + (encoded(prior, still) - encoded(prior, video))
