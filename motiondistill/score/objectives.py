"""Score-distillation objectives: from a query of a prior to the residual that it asks for.

In the units of clean latents, `x = x0 + sigma n` is a clip under noise and `D` a clean estimate, so
`(x - D) / sigma` is the noise that a family's network predicts: every formula of the literature is
its difference of noise predictions times sigma.
"""

import itertools
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Prior, per_sample
from motiondistill.priors.guidance import contrast, guided
from motiondistill.score.levels import sigma_of, tau_of
from motiondistill.score.query import Query, draw_noise


@torch.no_grad()
def sds(query: Query) -> Float[Tensor, "B C f h w"]:
    """Score distillation sampling (Poole et al. 2022, Eq. 3): `x0 - D`, guided."""
    return query.latents - _estimate(query, query.latents)


@torch.no_grad()
def csd(query: Query) -> Float[Tensor, "B C f h w"]:
    """Classifier score distillation (Yu et al. 2023, Eq. 7): guidance alone.

    The residual is `s (D(base) - D(prompt))`. SDS adds `x0 - D(base)`, a pull to the mean of all
    that the prior holds possible: where a denoiser is unsure of what moves, that is stillness. Both
    estimates here share this bias: it cancels.
    """
    noisy = query.noisy(query.latents)
    found = contrast(query.prior, noisy, query.sigma, query.prompts, query.guidance.base)
    return -(query.guidance.scale * found.direction)


@final
@dataclass(frozen=True)
class NoiseFree:
    """Noise-free score distillation (Katzir et al. 2024).

    The noise prediction without a prompt holds the noise that was drawn, which tells nothing, and a
    part that leads to the prior's domain. Below `domain_level` it is taken whole, `D(empty)` for
    `x`; above, the negative prompt stands for what lies outside: `D(negative) - D(empty)`. The
    prompt's own part is `s (D(empty) - D(prompt))`.
    """

    domain_level: float
    """A flow time; the paper's timestep 200 of 1000 in Stable Diffusion is 0.36."""

    @torch.no_grad()
    def __call__(self, query: Query) -> Float[Tensor, "B C f h w"]:
        """The residual; always relative to the empty prompt, whatever the guidance's base."""
        noisy, prompts = query.noisy(query.latents), query.prompts
        parts = [prompts.empty, prompts.negative, prompts.positive]
        estimates = query.prior.denoise(
            torch.cat([noisy] * 3), torch.cat([query.sigma] * 3), Conditioning.cat(parts)
        )
        empty, negative, positive = estimates.chunk(3)
        low = tau_of(per_sample(query.sigma, noisy)) < self.domain_level
        domain = torch.where(low, noisy, negative) - empty
        return domain + query.guidance.scale * (empty - positive)


@torch.no_grad()
def dds(query: Query) -> Float[Tensor, "B C f h w"]:
    """Delta denoising score (Hertz et al. 2023): SDS' residual less the reference's.

    Both clips are under the same noise, so what a denoiser gets wrong about both alike cancels. A
    clip that is the reference, with the reference's prompt, is left as it is.

    With the clip frozen to its mean pose as the reference, and words for standing still, it is
    **moving-minus-static**: only what moves, and the words for it, are left to follow. Animus3D
    adapts a network to the static clip for this; of a body that clip is exactly known.
    """
    if query.reference is None:
        raise ValueError("`reference` must be given for objectives that compare; add it.")
    reference = query.reference
    theirs = _estimate(replace(query, prompts=reference.prompts), reference.latents)
    ours = _estimate(query, query.latents)
    return (query.latents - ours) - (reference.latents - theirs)


@final
@dataclass(frozen=True)
class Inverted:
    """Score distillation via inversion (Lukoianov et al. 2024): `x0 - D` with found noise.

    The noise is the one that DDIM, run backwards from the clip with the guidance `scale`, finds in
    it, so an update follows the sampler's own path instead of a random one. Their further draws
    during the inversion are one draw here: `share` of the noise, by amplitude, is the query's; 1 is
    SDS. The levels are theirs, even in flow time instead of in timesteps.
    """

    num_steps: int
    scale: float | None
    """Guidance of the inversion; None is the opposite of the query's, as in the paper."""
    share: float

    @torch.no_grad()
    def __call__(self, query: Query) -> Float[Tensor, "B C f h w"]:
        """The residual."""
        noise = (1 - self.share**2) ** 0.5 * self.found_noise(query) + self.share * query.noise
        return sds(replace(query, noise=noise))

    @torch.no_grad()
    def found_noise(self, query: Query) -> Float[Tensor, "B C f h w"]:
        """The noise that leads from the clip to where the inversion ends."""
        scale = -query.guidance.scale if self.scale is None else self.scale
        guidance = replace(query.guidance, scale=scale, rescale=0.0)
        tau = tau_of(query.sigma)
        # The lowest level that the prior knows stands for none.
        levels = [
            query.prior.snap(sigma_of(tau * (step / self.num_steps)))
            for step in range(self.num_steps)
        ] + [query.sigma]
        x_sigma = query.latents
        for sigma, following in itertools.pairwise(levels):
            clean = guided(query.prior, x_sigma, sigma, query.prompts, guidance)
            x_sigma = clean + per_sample(following / sigma, clean) * (x_sigma - clean)
        return (x_sigma - query.latents) / per_sample(query.sigma, x_sigma)


@final
@dataclass(frozen=True)
class MultiStep:
    """`x0` less what the sampler makes of the noisy clip in `num_steps` steps.

    As in HiFA (Zhu et al. 2024). Deterministic Euler steps, even in flow time; one is SDS. Where a
    single estimate is the mean of what is possible, several come to one of the possibilities.
    """

    num_steps: int

    @torch.no_grad()
    def __call__(self, query: Query) -> Float[Tensor, "B C f h w"]:
        """The residual."""
        tau, sigma, x_sigma = tau_of(query.sigma), query.sigma, query.noisy(query.latents)
        for step in range(self.num_steps, 0, -1):
            clean = guided(query.prior, x_sigma, sigma, query.prompts, query.guidance)
            if step > 1:
                following = query.prior.snap(sigma_of(tau * ((step - 1) / self.num_steps)))
                x_sigma = clean + per_sample(following / sigma, clean) * (x_sigma - clean)
                sigma = following
        return query.latents - clean


@torch.no_grad()
def vsd(query: Query) -> Float[Tensor, "B C f h w"]:
    """Variational score distillation (Wang et al. 2023, Eq. 9): `D_adapted(prompt) - D`, guided.

    The adapted prior has learned what the clips look like; where they look as the prior wants them
    to, both agree and nothing is asked for. See `score.adaptation` for how it learns.
    """
    if query.adapted is None:
        raise ValueError("`adapted` must be given for `vsd`; train one on the clips.")
    noisy = query.noisy(query.latents)
    learned = query.adapted.denoise(noisy, query.sigma, query.prompts.positive)
    return learned - _estimate(query, query.latents)


def _estimate(query: Query, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B C f h w"]:
    return guided(query.prior, query.noisy(latents), query.sigma, query.prompts, query.guidance)


@torch.no_grad()
def prompt_evidence(
    prior: Prior,
    latents: Float[Tensor, "B C f h w"],
    conditioning: Conditioning,
    unconditional: Conditioning,
    *,
    sigma: Float[Tensor, " B"],
    generator: torch.Generator,
) -> Float[Tensor, " B"]:
    """How much better the prior explains each clip with its prompt than without.

    The unconditional minus the conditional denoising error: the mean squared error of the clean
    estimate in units of the noise level. The plain error would favour the stillest clip, because
    stillness is easy to denoise; the difference does not.
    """
    sigma = prior.snap(sigma)
    noise = draw_noise(latents, generator)
    level = per_sample(sigma, latents)
    both = prior.denoise(
        (latents + level * noise).repeat(2, 1, 1, 1, 1),
        sigma.repeat(2),
        Conditioning.cat([unconditional, conditioning]),
    )
    error = ((both - latents.repeat(2, 1, 1, 1, 1)) / level.repeat(2, 1, 1, 1, 1)).square()
    without, with_prompt = error.mean((1, 2, 3, 4)).chunk(2)
    return without - with_prompt
