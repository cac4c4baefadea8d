"""Priors whose every answer is known in closed form, to test whole loops against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Prior, VideoFormat, check_prompts


@final
@dataclass(frozen=True)
class Gaussian:
    """A normal distribution over flattened latents, by the eigenvectors of its full covariance."""

    mean: Float[Tensor, " D"]
    eigenvalues: Float[Tensor, " D"]
    eigenvectors: Float[Tensor, "D D"]

    @staticmethod
    def from_covariance(mean: Float[Tensor, " D"], covariance: Float[Tensor, "D D"]) -> "Gaussian":
        """The Gaussian with that mean and that symmetric, positive semidefinite covariance."""
        eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
        # Rounding leaves a semidefinite matrix with tiny negative eigenvalues.
        return Gaussian(mean, eigenvalues.clamp(min=0), eigenvectors)

    def denoise(self, x: Float[Tensor, "B D"], sigma: Float[Tensor, " B"]) -> Float[Tensor, "B D"]:
        """E[x0 | x0 + sigma n = x] = m + C (C + sigma^2 I)^-1 (x - m)."""
        gain = self.eigenvalues / (self.eigenvalues + sigma[:, None] ** 2)
        return self.mean + (gain * ((x - self.mean) @ self.eigenvectors)) @ self.eigenvectors.mT

    def log_density(
        self, x: Float[Tensor, "B D"], sigma: Float[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        """The log density of x0 + sigma n at x, without the constant of 2 pi."""
        variance = self.eigenvalues + sigma[:, None] ** 2
        coordinates = (x - self.mean) @ self.eigenvectors
        return -0.5 * (coordinates**2 / variance + variance.log()).sum(1)


@final
@dataclass(frozen=True)
class GaussianPrior(Prior):
    """One Gaussian per prompt, and their even mixture for the empty one; latents are the video.

    Latents are `[B 3 F H W]`: encoding only swaps axes. The sampler's noise falls geometrically.
    """

    gaussians: Mapping[str, Gaussian]
    video_format: VideoFormat
    max_sigma: float = 80.0
    min_sigma: float = 1e-3

    @property
    def format(self) -> VideoFormat:
        return self.video_format

    @property
    def sigma_max(self) -> float:
        return self.max_sigma

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Conditioning with the mixture's `weights` [B K]."""
        check_prompts(prompts)
        names = list(self.gaussians)
        like = next(iter(self.gaussians.values())).mean
        rows = []
        for prompt in prompts:
            if prompt and prompt not in self.gaussians:
                raise ValueError(f"`prompts` must be among {names} or empty, got {prompt!r}.")
            known = [1.0 if name == prompt else 0.0 for name in names]
            rows.append(known if prompt in self.gaussians else [1 / len(names)] * len(names))
        return Conditioning({"weights": torch.tensor(rows).to(like)})

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        self.format.check(video.shape[1], video.shape[3], video.shape[4])
        return video.transpose(1, 2)

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        return latents.transpose(1, 2).clamp(0, 1)

    def snap(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return sigma.clamp(self.min_sigma, self.max_sigma)

    def denoise(
        self,
        x_sigma: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        flat = x_sigma.flatten(1)
        logits = self._component_log_densities(flat, sigma) + conditioning.tensors["weights"].log()
        estimates = torch.stack([g.denoise(flat, sigma) for g in self.gaussians.values()], 1)
        mixed = (logits.softmax(1)[..., None] * estimates).sum(1)
        return mixed.view_as(x_sigma)

    def log_density(
        self,
        x_sigma: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, " B"]:
        """The log density of the noisy latents, without the constant of 2 pi."""
        logits = self._component_log_densities(x_sigma.flatten(1), sigma)
        return (logits + conditioning.tensors["weights"].log()).logsumexp(1)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        self.format.check(frames, height, width)
        return 3, frames, height, width

    def sampling_sigmas(
        self, num_steps: int, latent_shape: tuple[int, int, int, int]
    ) -> Float[Tensor, " steps_and_one"]:
        ratio = self.min_sigma / self.max_sigma
        sigmas = self.max_sigma * ratio ** torch.linspace(0, 1, num_steps)
        return torch.cat([sigmas, sigmas.new_zeros(1)])

    def _component_log_densities(
        self, flat: Float[Tensor, "B D"], sigma: Float[Tensor, " B"]
    ) -> Float[Tensor, "B K"]:
        return torch.stack([g.log_density(flat, sigma) for g in self.gaussians.values()], 1)
