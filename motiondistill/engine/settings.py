"""What can be said of the score distillation; the values are the defaults."""

from dataclasses import dataclass
from typing import Literal

WeightingName = Literal["sds", "uniform", "fantasia3d", "x0", "velocity", "flow"]


@dataclass(frozen=True)
class DistillSettings:
    """Knobs of the score-distillation stage."""

    # What a step asks of the prior. `csd`, classifier score distillation, follows the prompt alone;
    # `sds`, score distillation sampling, also pulls to the mean of what the prior holds possible,
    # and `nfsd` only to its domain. `dds` asks of the clip what it does not ask of the motion that
    # the stage began with; `moving_minus_static` what it does not ask of the clip frozen to its
    # mean pose. `multi_step` and `sdi` follow the prior's sampler, the second from noise found in
    # the clip. `vsd` compares with a copy of the prior that learns the clip; it needs peft.
    objective: Literal[
        "csd", "sds", "nfsd", "dds", "moving_minus_static", "multi_step", "sdi", "vsd"
    ] = "csd"
    # Of the score in the loss, beside the regularisers and other priors; 0 asks others alone.
    weight: float = 1.0
    # Updates.
    num_steps: int = 150
    # Views of the full circle rendered for each update.
    views: int = 4
    # Parts of the views that are evaluated one after the other and summed: as many times less
    # memory. Beside others that `torchrun` started, of the views of this process.
    accumulate: int = 1
    # Updates towards the same target, with the same views, before a new one is asked for.
    updates_per_target: int = 1
    # `csd`: the score's weight against the regularisers. Else how far the prompt's clean estimate
    # is pushed away from the base's; 1: not at all.
    guidance_scale: float = 4.0
    # To this it goes on a line during the stage; null keeps it.
    last_guidance_scale: float | None = None
    # What guidance pushes away from: the negative prompt, or the empty one, no text at all.
    guidance_base: Literal["negative", "empty"] = "negative"
    # How far the spread of the guided estimate is put back to that of the prompt's own; 1: wholly.
    guidance_rescale: float = 0.0
    # Pushes away from the views that the clip is not seen from, too (Perp-Neg).
    avoid_other_views: bool = False
    # Weight of noise levels, named by the residual that it makes: `sds` is that of the noise times
    # its variance, `uniform` of the noise, `fantasia3d` of the noise times variance and signal,
    # `x0` of the clean clip, `velocity` and `flow` of these.
    weighting: WeightingName = "sds"
    # Factor of what the score asks for that changes in time; 1 is as it is.
    motion_amplification: float = 1.0
    # Largest root mean square of what the score asks of one view; null is any.
    max_gradient: float | None = None
    # Noise levels tau = sigma / (1 + sigma): 0.5 is as much noise as signal, and the log-SNR is
    # 2 log((1 - tau) / tau). They go from the first to the last during the stage, on a line, by
    # the square root of the progress, or so that tau's square falls evenly (`inverse_cdf`), and the
    # views spread over +-jitter around them. `uniform` draws between the two all along.
    # `timesteps` draws so that steps of Stable Diffusion's schedule are equally likely, as most
    # code does, and reads both levels as shares of its steps.
    level_path: Literal["linear", "sqrt", "inverse_cdf", "uniform", "timesteps"] = "linear"
    first_level: float = 0.9
    last_level: float = 0.6
    level_jitter: float = 0.1
    # How the views spread: one in each equal part, in opposite pairs, or each by itself.
    level_draw: Literal["stratified", "antithetic", "independent"] = "stratified"
    # `auto` takes the first and the last level, and guidance where it matters, from `score.probe`,
    # and a run records what it took as `probed`, which follows what is recorded.
    levels: Literal["given", "auto", "probed"] = "given"
    # Folder of a finished `motiondistill probe` of this prior, or its summary.json, for `auto`.
    probe: str | None = None
    # Cameras stay within this angle of the centre of a named view, radians.
    azimuth_jitter: float = 0.17
    # Adam's, at its highest.
    learning_rate: float = 2e-3
    # How it goes: up and down again along a cosine, or not at all.
    learning_schedule: Literal["warm_cosine", "constant"] = "warm_cosine"
    # Largest norm of the gradient of the field's parameters; null is any.
    max_norm: float | None = 1.0
    # `dds` and `moving_minus_static`: what the clip compared with shows.
    reference_prompt: str = "a person is standing still"
    # `nfsd`: the noise level below which all of the unprompted score leads to the prior's domain.
    domain_level: float = 0.36
    # `multi_step`: steps of the sampler. `sdi`: steps to the noise.
    target_steps: int = 5
    # `sdi`: guidance on the way to the noise; null is the opposite of the other.
    inversion_guidance_scale: float | None = None
    # `sdi`: share of the noise that is drawn and not found; 1 is `sds`.
    inversion_noise: float = 0.3
    # `vsd`: rank and learning rate of what the copy learns.
    lora_rank: int = 4
    lora_learning_rate: float = 1e-4
