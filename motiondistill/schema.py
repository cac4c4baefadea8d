"""Everything a job can be told, as frozen dataclasses: their values are the defaults.

A loop's knobs are a dataclass beside the loop; here they are composed into jobs and checked.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from motiondistill.cameras import Orbit
from motiondistill.optimize import DistillSettings, RegularizerWeights
from motiondistill.starts import FitSettings

View = Literal[
    "front view",
    "front left view",
    "left side view",
    "back left view",
    "back view",
    "back right view",
    "right side view",
    "front right view",
]


@dataclass(frozen=True)
class PriorConfig:
    """The frozen video model that judges."""

    # `embedded`, or a folder in the family's own diffusers layout.
    model: str = "embedded"
    # `random` keeps the architecture and draws fresh weights: a control that knows nothing.
    weights: Literal["pretrained", "random"] = "pretrained"
    # What guidance pushes away from, seen from the same side, so that it strengthens the action and
    # not the view; empty is no text at all.
    negative_prompt: str = "a person"


@dataclass(frozen=True)
class BodyConfig:
    """The body that is rendered."""

    name: Literal["anny"] = "anny"
    # `low` has 1,229 vertices, `full` 13,718.
    resolution: Literal["low", "full"] = "low"


@dataclass(frozen=True)
class RunConfig:
    """What belongs to the run and not to the method."""

    seed: int = 0
    # Length of the clip; null takes the prior's own.
    frames: int | None = None
    # CPU threads; null takes every core. A run repeats bit for bit only with the same number.
    threads: int | None = None
    # Updates from one checkpoint to the next.
    checkpoint_every: int = 50


@dataclass(frozen=True)
class OptimizeConfig:
    """Everything `motiondistill optimize` can be told."""

    prior: PriorConfig = field(default_factory=PriorConfig)
    init: FitSettings = field(default_factory=FitSettings)
    score: DistillSettings = field(default_factory=DistillSettings)
    regularize: RegularizerWeights = field(default_factory=RegularizerWeights)
    body: BodyConfig = field(default_factory=BodyConfig)
    camera: Orbit = field(default_factory=Orbit)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        _check_ranges(self)


@dataclass(frozen=True)
class SampleRunConfig:
    """What belongs to the run and not to the method."""

    seed: int = 0
    # Length of the clip; null takes the prior's own.
    frames: int | None = None
    # CPU threads; null takes every core.
    threads: int | None = None


@dataclass(frozen=True)
class SampleSettings:
    """Knobs of sampling a video."""

    num_steps: int = 30
    guidance_scale: float = 3.0
    # Words added to the prompt; null adds none.
    view: View | None = "front view"
    # Height and width, pixels; null takes the prior's own.
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class SampleConfig:
    """Everything `motiondistill sample` can be told."""

    prior: PriorConfig = field(default_factory=PriorConfig)
    sample: SampleSettings = field(default_factory=SampleSettings)
    run: SampleRunConfig = field(default_factory=SampleRunConfig)

    def __post_init__(self) -> None:
        _check_ranges(self)


Schema = TypeVar("Schema", bound=OptimizeConfig | SampleConfig)
JOBS: dict[str, type[OptimizeConfig] | type[SampleConfig]] = {
    "optimize": OptimizeConfig,
    "sample": SampleConfig,
}

# The smallest and the largest value of every number; what depends on the prior, the prior checks.
_RANGES = {
    "camera.distance": (0.5, 50),
    "camera.elevation": (-1.5, 1.5),
    "camera.fov_y": (0.05, 2.5),
    "camera.size": (16, 2048),
    "camera.target_height": (-2, 4),
    "init.guidance_scale": (0, 1000),
    "init.learning_rate": (0, 1),
    "init.num_samples": (1, 64),
    "init.num_steps": (0, 1_000_000),
    "init.sampling_steps": (1, 1000),
    "regularize.angular_speed": (0, 1e9),
    "regularize.ground_penetration": (0, 1e9),
    "regularize.joint_acceleration": (0, 1e9),
    "regularize.tilt": (0, 1e9),
    "run.checkpoint_every": (1, 1_000_000),
    "run.frames": (3, 1024),
    "run.seed": (0, 2**63 - 1),
    "run.threads": (1, 1024),
    "sample.guidance_scale": (0, 1000),
    "sample.num_steps": (1, 1000),
    "sample.size": (16, 2048),
    "score.azimuth_jitter": (0, 3.1416),
    "score.first_level": (0.02, 0.98),
    "score.guidance_scale": (0, 1000),
    "score.last_level": (0.02, 0.98),
    "score.learning_rate": (0, 1),
    "score.level_jitter": (0, 0.5),
    "score.num_steps": (0, 1_000_000),
    "score.views": (1, 64),
}


def job_of(schema: type) -> str:
    """The command that a schema configures."""
    return next(name for name, known in JOBS.items() if known is schema)


def groups(schema: type) -> dict[str, type]:
    """The groups of a job's keys, with their dataclasses."""
    return {group.name: cast(type, group.type) for group in dataclasses.fields(schema)}


def knobs(schema: type) -> dict[str, tuple[Any, Any]]:
    """Type and default of every dotted key."""
    return {
        f"{group}.{knob.name}": (knob.type, knob.default)
        for group, kind in groups(schema).items()
        for knob in dataclasses.fields(kind)
    }


def show(value: Any) -> str:
    """A value as it would be written in YAML."""
    return "null" if value is None else repr(list(value) if isinstance(value, tuple) else value)


def _check_ranges(config: OptimizeConfig | SampleConfig) -> None:
    for key, (_, default) in knobs(type(config)).items():
        group, name = key.split(".")
        value = getattr(getattr(config, group), name)
        if key not in _RANGES or value is None:
            continue
        low, high = _RANGES[key]
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(low <= number <= high for number in numbers):  # false for nan, too
            raise ValueError(
                f"`{key}` must be between {low:g} and {high:g}, got {show(value)}; "
                f"the default is {show(default)}."
            )
