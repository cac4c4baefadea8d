"""What each job can be told, as one frozen dataclass: its values are the defaults.

A loop's knobs are a dataclass beside the loop; here they are composed into jobs and checked.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from motiondistill.data.collection import WindowSettings
from motiondistill.data.splits import SplitSettings
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.starts import FitSettings
from motiondistill.film.drawing import OutputSettings
from motiondistill.film.shots import ShotSettings
from motiondistill.formats.settings import ExportSettings
from motiondistill.latents.ablation import LatentsSettings
from motiondistill.probing.settings import GradientSettings, ProbeSettings
from motiondistill.prompts import Wording
from motiondistill.regularizers.weights import RegularizerWeights
from motiondistill.schema.diagnose import DiagnoseSettings, check_diagnose
from motiondistill.schema.field import FieldSettings, check_field
from motiondistill.schema.image_prior import ImagePriorConfig, check_critics
from motiondistill.schema.knobs import RANGES, check_jitters, check_ranges, check_used, knobs, show
from motiondistill.schema.latents import check_latents, of_clips
from motiondistill.schema.look import BodyConfig, CameraConfig, RenderConfig
from motiondistill.schema.prior import PriorConfig
from motiondistill.schema.probe import ProbeRunConfig, check_probe
from motiondistill.schema.runs import (
    DatasetRunConfig,
    FilmRunConfig,
    LatentsRunConfig,
    RunConfig,
    SampleRunConfig,
)

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
class OptimizeConfig:
    """Everything `motiondistill optimize` can be told."""

    prior: PriorConfig = field(default_factory=PriorConfig)
    image_prior: ImagePriorConfig = field(default_factory=ImagePriorConfig)
    words: Wording = field(default_factory=Wording)
    init: FitSettings = field(default_factory=FitSettings)
    score: DistillSettings = field(default_factory=DistillSettings)
    regularize: RegularizerWeights = field(default_factory=RegularizerWeights)
    body: BodyConfig = field(default_factory=BodyConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    run: RunConfig = field(default_factory=RunConfig)
    # Last, as from here on its name hides the function.
    field: FieldSettings = field(default_factory=FieldSettings)

    def __post_init__(self) -> None:
        # Fewer frames have no acceleration.
        check_ranges(self, RANGES | {"run.frames": (3, 1024)})
        _check_body(self)
        check_jitters(self.camera)
        check_field(self)
        check_critics(self)
        _check_render(self)


@dataclass(frozen=True)
class ProbeConfig:
    """Everything `motiondistill probe` can be told."""

    prior: PriorConfig = field(default_factory=PriorConfig)
    words: Wording = field(default_factory=Wording)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    gradient: GradientSettings = field(default_factory=GradientSettings)
    score: DistillSettings = field(default_factory=DistillSettings)
    body: BodyConfig = field(default_factory=BodyConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    run: ProbeRunConfig = field(default_factory=ProbeRunConfig)

    def __post_init__(self) -> None:
        check_ranges(self)
        _check_body(self)
        _check_render(self)
        check_probe(self)


@dataclass(frozen=True)
class LatentsConfig:
    """Everything `motiondistill latents` can be told; other defaults than elsewhere stand here."""

    prior: PriorConfig = field(default_factory=PriorConfig)
    words: Wording = field(default_factory=Wording)
    latents: LatentsSettings = field(default_factory=LatentsSettings)
    score: DistillSettings = field(default_factory=of_clips)
    body: BodyConfig = field(default_factory=BodyConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    run: LatentsRunConfig = field(default_factory=LatentsRunConfig)

    def __post_init__(self) -> None:
        # Fewer frames have no acceleration, which the fit of a body wants small.
        check_ranges(self, RANGES | {"run.frames": (3, 1024)})
        _check_body(self)
        check_latents(self)  # before what would be right elsewhere is advised
        _check_render(self)


@dataclass(frozen=True)
class DiagnoseConfig:
    """Everything `motiondistill diagnose` can be told: what `optimize` can, and `diagnose.*`."""

    diagnose: DiagnoseSettings = field(default_factory=DiagnoseSettings)
    prior: PriorConfig = field(default_factory=PriorConfig)
    image_prior: ImagePriorConfig = field(default_factory=ImagePriorConfig)
    words: Wording = field(default_factory=Wording)
    init: FitSettings = field(default_factory=FitSettings)
    score: DistillSettings = field(default_factory=DistillSettings)
    regularize: RegularizerWeights = field(default_factory=RegularizerWeights)
    body: BodyConfig = field(default_factory=BodyConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    run: RunConfig = field(default_factory=RunConfig)
    # Last, as from here on its name hides the function.
    field: FieldSettings = field(default_factory=FieldSettings)

    def __post_init__(self) -> None:
        check_ranges(self, RANGES | {"run.frames": (3, 1024)})
        check_diagnose(self)
        for told in (looking, distilling):
            told(self)  # what `optimize` refuses is refused here


def looking(config: DiagnoseConfig) -> OptimizeConfig:
    """What a diagnosis fits motions to videos by: as a run that starts from samples would."""
    return _optimized(config, dataclasses.replace(config.init, start="sampled"))


def distilling(config: DiagnoseConfig) -> OptimizeConfig:
    """What the distillation of a diagnosis is told; without samples, no key of them."""
    start = config.init.start
    return _optimized(config, config.init if start == "sampled" else FitSettings(start=start))


def _optimized(config: DiagnoseConfig, init: FitSettings) -> OptimizeConfig:
    groups = [group.name for group in dataclasses.fields(OptimizeConfig)]
    return OptimizeConfig(**{name: getattr(config, name) for name in groups} | {"init": init})


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
        check_ranges(self)


@dataclass(frozen=True)
class FilmConfig:
    """Everything `motiondistill render` can be told; other defaults than elsewhere stand here."""

    # Where no body is named, the one that the motion file tells is taken.
    body: BodyConfig = field(default_factory=lambda: BodyConfig(resolution="full"))
    camera: ShotSettings = field(default_factory=ShotSettings)
    render: RenderConfig = field(default_factory=lambda: RenderConfig(supersampling=2))
    output: OutputSettings = field(default_factory=OutputSettings)
    run: FilmRunConfig = field(default_factory=FilmRunConfig)

    def __post_init__(self) -> None:
        check_ranges(self)
        _check_body(self)
        _check_render(self)


@dataclass(frozen=True)
class ExportConfig:
    """Everything `motiondistill export` can be told."""

    # Where no body is named, the one that the motion file tells is taken.
    body: BodyConfig = field(default_factory=lambda: BodyConfig(resolution="full"))
    output: ExportSettings = field(default_factory=ExportSettings)

    def __post_init__(self) -> None:
        check_ranges(self)
        _check_body(self)


@dataclass(frozen=True)
class DatasetConfig:
    """Everything `motiondistill dataset build` can be told."""

    window: WindowSettings = field(default_factory=WindowSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    run: DatasetRunConfig = field(default_factory=DatasetRunConfig)

    def __post_init__(self) -> None:
        check_ranges(self)


JobConfig = (
    OptimizeConfig
    | LatentsConfig
    | ProbeConfig
    | DiagnoseConfig
    | SampleConfig
    | FilmConfig
    | ExportConfig
    | DatasetConfig
)
Schema = TypeVar("Schema", bound=JobConfig)
JOBS: Final[dict[str, type[JobConfig]]] = {
    "optimize": OptimizeConfig,
    "latents": LatentsConfig,
    "probe": ProbeConfig,
    "diagnose": DiagnoseConfig,
    "sample": SampleConfig,
    "render": FilmConfig,
    "export": ExportConfig,
    "dataset": DatasetConfig,
}


def job_of(schema: type) -> str:
    """The command that a schema configures."""
    return next(name for name, known in JOBS.items() if known is schema)


def _check_body(
    config: OptimizeConfig | LatentsConfig | ProbeConfig | FilmConfig | ExportConfig,
) -> None:
    """Refuses keys that the chosen body does not have, rather than to ignore them."""
    for key, (_, default) in knobs(type(config)).items():
        group, name = key.split(".")
        value = getattr(config.body, name, None)
        owner = "smplx" if name in ("model_path", "betas", "expression") else "anny"
        chosen = config.body.name
        if group == "body" and name != "name" and owner != chosen and value != default:
            raise ValueError(
                f"`{key}` must be left out with body.name={chosen}, got {show(value)}; only "
                f"{owner} has it."
            )


def _check_render(config: OptimizeConfig | LatentsConfig | ProbeConfig | FilmConfig) -> None:
    """Refuses keys that the chosen look ignores, or that would replace what is asked for."""
    check_used(config)
    look = config.render
    if not math.hypot(*look.light) > 0:
        raise ValueError(
            f"`render.light` must not be zero, got {show(look.light)}; point it towards the light."
        )
    if look.randomize == "light" and look.shading != "lambert":
        raise ValueError(
            f"`render.randomize` must not be light with render.shading={look.shading}, which has "
            "none; leave it out or add render.shading=lambert."
        )
    if look.randomize in ("background", "everything") and look.background in ("image", "cube"):
        raise ValueError(
            f"`render.randomize` must not be {look.randomize} with "
            f"render.background={look.background}, which it would replace; choose "
            "render.randomize=light, or leave out render.background and its file."
        )
