"""What can be said of a run, job by job; the values are the defaults."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunConfig:
    """What belongs to a run of `optimize` and not to the method."""

    seed: int = 0
    # Length of the clip, at least 3; null takes the prior's own, and for priors that know images
    # alone 16, at 8 a second.
    frames: int | None = None
    # Length of the motion in place of `run.frames`, which it may exceed; null leaves it to that.
    seconds: float | None = None
    # Frames that the prior sees at once. Longer motions are optimised on windows, one drawn for
    # every update; null takes the whole motion, or the prior's own clip where it takes no more.
    window: int | None = None
    # Frames a second of the result; null takes the prior's.
    fps: float | None = None
    # CPU threads; null takes every core. A run repeats bit for bit only with the same number.
    threads: int | None = None
    # Updates from one checkpoint to the next, and how many of the newest are kept.
    checkpoint_every: int = 50
    keep_checkpoints: int = 2
    # Updates from one set of pictures and histograms for TensorBoard to the next; 0 is none.
    log_every: int = 100
    # Writes where the time goes, stage by stage, to profile.json and the log; of a resumed run only
    # since then.
    profile: bool = False
    # Shows the motion as it evolves in a page on this machine; needs viser.
    live: bool = False


@dataclass(frozen=True)
class SampleRunConfig:
    """What belongs to the run and not to the method."""

    seed: int = 0
    # Length of the clip; null takes the prior's own.
    frames: int | None = None
    # CPU threads; null takes every core.
    threads: int | None = None


@dataclass(frozen=True)
class FilmRunConfig:
    """What belongs to the run and not to the picture."""

    # Of what `render.randomize` draws, once for the whole motion.
    seed: int = 0
    # CPU threads; null takes every core.
    threads: int | None = None


@dataclass(frozen=True)
class DatasetRunConfig:
    """What belongs to the run and not to the set."""

    # Of the split and of the parametric motions.
    seed: int = 0
    # CPU threads; null takes every core.
    threads: int | None = None


@dataclass(frozen=True)
class LatentsRunConfig:
    """What belongs to a run of `latents` and not to the method."""

    # Of noise and levels: every prior and every prompt gets the same.
    seed: int = 0
    # Length of the clips; null takes each prior's own, and for priors that know images alone 16.
    frames: int | None = None
    # CPU threads; null takes every core. A run repeats bit for bit only with the same number.
    threads: int | None = None
    # Updates from one checkpoint to the next, and how many of the newest are kept.
    checkpoint_every: int = 50
    keep_checkpoints: int = 2
