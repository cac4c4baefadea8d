"""What every prior is, and the four parts that a diffusion prior is composed of."""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Shaped
from torch import Tensor


@final
@dataclass(frozen=True)
class Conditioning:
    """What a denoiser is told, one row per prompt; only its prior knows what the tensors mean."""

    tensors: Mapping[str, Shaped[Tensor, "B ..."]]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, rows: slice | Sequence[int] | Tensor) -> "Conditioning":
        """The chosen rows, in the order given; always a batch."""
        return Conditioning({name: tensor[rows] for name, tensor in self.tensors.items()})

    def repeat(self, times: int) -> "Conditioning":
        """The whole batch `times` times over: rows a b a b, as `torch.Tensor.repeat` does."""
        return Conditioning.cat([self] * times)

    @staticmethod
    def cat(parts: Sequence["Conditioning"]) -> "Conditioning":
        """One batch that holds the rows of all parts in order."""
        names = parts[0].tensors
        return Conditioning({n: torch.cat([part.tensors[n] for part in parts]) for n in names})


@final
@dataclass(frozen=True)
class VideoFormat:
    """The clips a prior was trained on, and the clips it can take.

    Legal frame counts are `frame_step * k + frame_offset`, so `frame_step` 0 leaves only one, and
    at most `max_frames`; height and width are multiples of `size_step`.
    """

    fps: float
    frames: int
    height: int
    width: int
    frame_step: int = 1
    frame_offset: int = 0
    size_step: int = 1
    max_frames: int | None = None

    def check(self, frames: int, height: int, width: int) -> None:
        """Nothing, or a ValueError that names the rule, the value and the nearest legal values."""
        self._check("frames", frames, self.frame_step, self.frame_offset)
        if self.max_frames is not None and frames > self.max_frames:
            raise ValueError(
                f"`frames` must be at most {self.max_frames} for this prior, got {frames}; "
                "shorten the clip, or choose another prior."
            )
        self._check("height", height, self.size_step, 0)
        self._check("width", width, self.size_step, 0)

    @staticmethod
    def _check(name: str, value: int, step: int, offset: int) -> None:
        if step == 0:
            if value != offset:
                raise ValueError(
                    f"`{name}` must be {offset} for this prior, got {value}; "
                    "leave it out, or choose another prior."
                )
            return
        first = offset or step
        if value >= first and (value - offset) % step == 0:
            return
        rule = f"{step}k+{offset}" if offset else f"a multiple of {step}"
        below = value - (value - offset) % step
        nearest = f"{below} or {below + step}" if below >= first else f"{first}"
        raise ValueError(
            f"`{name}` must be {rule} for this prior, got {value}; nearest: {nearest}."
        )


class Prior(abc.ABC):
    """A text-to-video prior as a denoiser: the only thing that score code knows about a model.

    Noisy latents are `x_sigma = x0 + sigma * noise` for every family; model time, scale and
    prediction type stay inside the prior. Latents and sigma are float32 (float64 where it can).
    """

    @property
    @abc.abstractmethod
    def format(self) -> VideoFormat:
        """Frame rate, native size and the rules for other sizes."""

    @property
    @abc.abstractmethod
    def sigma_max(self) -> float:
        """The largest noise level; finite, even where the family's schedule ends in pure noise."""

    @abc.abstractmethod
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """The conditioning of each prompt, without gradient; the empty one is unconditional."""

    @abc.abstractmethod
    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        """The normalised latents (the posterior's mode) of sRGB in [0, 1]; differentiable."""

    @abc.abstractmethod
    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        """The video of the latents, sRGB clamped to [0, 1]."""

    @abc.abstractmethod
    def snap(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """The nearest noise levels that the model knows; call it before noise is added."""

    @abc.abstractmethod
    def denoise(
        self,
        x_sigma: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        """The clean latents to expect, E[x0 | x_sigma]; differentiable, so mind `no_grad`."""

    @abc.abstractmethod
    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        """The latents' (C, f, h, w) for a video of that size."""

    @abc.abstractmethod
    def sampling_sigmas(
        self, num_steps: int, latent_shape: tuple[int, int, int, int]
    ) -> Float[Tensor, " steps_and_one"]:
        """The noise levels of the family's own sampler, falling to exactly zero."""


class Codec(abc.ABC):
    """Video to normalised latents and back."""

    @property
    @abc.abstractmethod
    def format(self) -> VideoFormat:
        """The clips this codec can take without dropping frames or pixels."""

    @abc.abstractmethod
    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        """See `Prior.encode`; the caller has checked the format."""

    @abc.abstractmethod
    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        """See `Prior.decode`."""

    @abc.abstractmethod
    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        """See `Prior.latent_shape`."""


class Denoiser(abc.ABC):
    """The network in its family's terms: scaled latents and time in, raw prediction out."""

    @abc.abstractmethod
    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        """The network's raw output (noise, velocity or flow; the schedule knows which)."""

    @abc.abstractmethod
    def randomized(self, generator: torch.Generator) -> "Denoiser":
        """The same architecture with freshly initialised weights; knows nothing."""


class Schedule(abc.ABC):
    """The noise algebra of a family: `scaled = scale(sigma) * x_sigma` is what its network sees."""

    @property
    @abc.abstractmethod
    def sigma_max(self) -> float:
        """See `Prior.sigma_max`."""

    @abc.abstractmethod
    def snap(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """See `Prior.snap`."""

    @abc.abstractmethod
    def scale(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """The factor `a` of `scaled = a * x0 + s * noise`, with `sigma = s / a`."""

    @abc.abstractmethod
    def time(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """The number the network is given for this noise level."""

    @abc.abstractmethod
    def clean(
        self,
        scaled: Float[Tensor, "B C f h w"],
        output: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
    ) -> Float[Tensor, "B C f h w"]:
        """The estimate of x0 that the network's raw output stands for."""

    @abc.abstractmethod
    def sampling_sigmas(self, num_steps: int, num_tokens: int) -> Float[Tensor, " steps_and_one"]:
        """See `Prior.sampling_sigmas`."""


class TextEncoder(abc.ABC):
    """Prompts to conditioning."""

    @abc.abstractmethod
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """See `Prior.embed`."""


def check_prompts(prompts: Sequence[str]) -> None:
    """Nothing, or a ValueError for no prompt or a bare string, whose items are letters."""
    if isinstance(prompts, str) or not prompts:
        raise ValueError(
            f"`prompts` must be a list of at least one prompt, got {prompts!r}; "
            'write ["a person is walking"].'
        )


def per_sample(values: Float[Tensor, " B"], like: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
    """One value per sample, shaped so that it broadcasts over `like`."""
    return values.to(like).view(-1, *[1] * (like.ndim - 1))


def count_positions(frames: int, height: int, width: int) -> int:
    """The latent positions of a clip: its tokens where a patch is one position."""
    return frames * height * width


@final
@dataclass(frozen=True)
class DiffusersPrior(Prior):
    """A prior composed of a codec, a denoiser, a schedule and a text encoder; any family is one."""

    codec: Codec
    denoiser: Denoiser
    schedule: Schedule
    text: TextEncoder
    embedded_guidance: float | None = None
    """Scale of the guidance that the network imitates by itself; None if it was not distilled."""
    count_tokens: Callable[[int, int, int], int] = count_positions
    """What the schedule is told of the size of latents (f, h, w)."""

    @property
    def format(self) -> VideoFormat:
        return self.codec.format

    @property
    def sigma_max(self) -> float:
        return self.schedule.sigma_max

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        return self.text.embed(prompts)

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        # Video autoencoders drop the trailing frames of an illegal clip without a word, and those
        # frames would get no gradient.
        self.format.check(video.shape[1], video.shape[3], video.shape[4])
        return self.codec.encode(video)

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        return self.codec.decode(latents)

    def snap(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return self.schedule.snap(sigma)

    def denoise(
        self,
        x_sigma: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        scaled = per_sample(self.schedule.scale(sigma), x_sigma) * x_sigma
        output = self.denoiser.predict(scaled, self.schedule.time(sigma), conditioning)
        return self.schedule.clean(scaled, output, sigma)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        self.format.check(frames, height, width)
        return self.codec.latent_shape(frames, height, width)

    def sampling_sigmas(
        self, num_steps: int, latent_shape: tuple[int, int, int, int]
    ) -> Float[Tensor, " steps_and_one"]:
        _, frames, height, width = latent_shape
        return self.schedule.sampling_sigmas(num_steps, self.count_tokens(frames, height, width))
