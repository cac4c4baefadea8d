"""Everything a job can be told, as frozen dataclasses: their values are the defaults.

A loop's knobs are a dataclass beside the loop; here they are composed into jobs and checked.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

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

    # `anny` needs nothing; `smplx` needs a licensed file.
    name: Literal["anny", "smplx"] = "anny"
    # Of anny: `low` has 1,229 vertices, `full` 13,718.
    resolution: Literal["low", "full"] = "low"
    # Anny's phenotype, from 0 to 1; 0.5 is the average. Gender: 0 male, 1 female.
    gender: float = 0.5
    # 0 a baby, 1/3 a child, 2/3 a young adult, 1 old.
    age: float = 0.5
    height: float = 0.5
    weight: float = 0.5
    muscle: float = 0.5
    # 0 ideal, 1 uncommon.
    proportions: float = 0.5
    # SMPL-X's model file, or the folder with SMPLX_NEUTRAL*.npz or .pkl; null takes SMPLX_DIR.
    model_path: str | None = None
    # SMPL-X's shape and expression coefficients, the first ones; the others are zero.
    betas: tuple[float, ...] = ()
    expression: tuple[float, ...] = ()


@dataclass(frozen=True)
class CameraConfig:
    """From where the body is seen; the shipped prior was trained with the defaults."""

    # Angle of the camera above the horizon, radians.
    elevation: float = 0.15
    # From the target, metres.
    distance: float = 4.0
    # Height of the point looked at above the ground, metres.
    target_height: float = 0.95
    # Vertical field of view, radians.
    fov_y: float = 0.52
    # Image height and width, pixels; null takes the prior's own, and so its aspect.
    size: tuple[int, int] | None = None
    # How far each view of the distillation may be off the above, drawn anew at every update.
    elevation_jitter: float = 0.0
    distance_jitter: float = 0.0
    fov_jitter: float = 0.0


@dataclass(frozen=True)
class RenderConfig:
    """What is seen of the body and around it; the shipped prior was trained with the defaults."""

    # `parts` tells all limbs apart, `plain` has one colour, `clothing` is drawn from
    # `render.outfit`, and `texture` is an image, for bodies with texture coordinates.
    appearance: Literal["parts", "plain", "clothing", "texture"] = "parts"
    # Of the plain body, sRGB from 0 to 1.
    colour: tuple[float, float, float] = (0.70, 0.70, 0.72)
    # Seed of the clothes.
    outfit: int = 0
    # Image file of the texture.
    texture: str | None = None
    # `lambert` is lit from `render.light`; `normals` shows normals instead of the appearance.
    shading: Literal["lambert", "unlit", "normals"] = "lambert"
    # Towards the light, in the world: +Y is up, and the subject faces +Z.
    light: tuple[float, float, float] = (0.35, 0.80, 0.49)
    # Brightness of what faces away from the light.
    ambient: float = 0.62
    # `image` covers the frame with an image; `cube` surrounds the scene with six.
    background: Literal["solid", "sky", "image", "cube"] = "solid"
    # Of the solid background, sRGB from 0 to 1.
    background_colour: tuple[float, float, float] = (0.90, 0.93, 0.97)
    # Image file, or for `cube` the folder with right, left, top, bottom, front and back.
    background_file: str | None = None
    ground: Literal["plain", "checkered", "none"] = "plain"
    # Of plain ground, or of every second square; sRGB from 0 to 1.
    ground_colour: tuple[float, float, float] = (0.74, 0.73, 0.70)
    # How dark the ground is under the body; null is 0 on plain ground and 0.55 on checkered.
    shadow: float | None = None
    # Drawn anew at every update of the distillation: the surroundings, the light, or both and the
    # colours or clothes of the body, too.
    randomize: Literal["nothing", "background", "light", "everything"] = "nothing"
    # `nvdiffrast` is an optional library for CUDA devices; `auto` takes it where it is there, else
    # `cpu`. `reference` is slow, and the truth for the others.
    rasterizer: Literal["cpu", "nvdiffrast", "reference", "auto"] = "cpu"
    # Every pixel is the mean of this many, squared: 2 halves the error of silhouettes.
    supersampling: int = 1


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
    camera: CameraConfig = field(default_factory=CameraConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        _check_ranges(self)
        _check_body(self.body)


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
    "body.age": (0, 1),
    "body.betas": (-20, 20),
    "body.expression": (-20, 20),
    "body.gender": (0, 1),
    "body.height": (0, 1),
    "body.muscle": (0, 1),
    "body.proportions": (0, 1),
    "body.weight": (0, 1),
    "camera.distance": (0.5, 50),
    "camera.distance_jitter": (0, 50),
    "camera.elevation": (-1.5, 1.5),
    "camera.elevation_jitter": (0, 1.5),
    "camera.fov_jitter": (0, 1.25),
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
    "render.ambient": (0, 1),
    "render.background_colour": (0, 1),
    "render.colour": (0, 1),
    "render.ground_colour": (0, 1),
    "render.light": (-1e6, 1e6),
    "render.outfit": (0, 2**63 - 1),
    "render.shadow": (0, 1),
    "render.supersampling": (1, 16),
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


def _check_body(config: BodyConfig) -> None:
    """Refuses keys that the chosen body does not have, rather than to ignore them."""
    for knob in dataclasses.fields(config):
        value = getattr(config, knob.name)
        owner = "smplx" if knob.name in ("model_path", "betas", "expression") else "anny"
        if knob.name != "name" and owner != config.name and value != knob.default:
            raise ValueError(
                f"`body.{knob.name}` must be left out with body.name={config.name}, got "
                f"{show(value)}; only {owner} has it."
            )
