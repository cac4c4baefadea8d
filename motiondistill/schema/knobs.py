"""The dotted keys of a job's dataclasses: what there is, the defaults, and what may be set."""

import dataclasses
import math
from typing import Any, Final, TypeAlias, cast, get_args, get_origin

Ranges: TypeAlias = dict[str, tuple[int | float, int | float]]

# The smallest and the largest value of every number; what depends on the prior, the prior checks.
RANGES: Final[Ranges] = {
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
    "camera.dolly_factor": (0.05, 20),
    "camera.elevation": (-1.5, 1.5),
    "camera.elevation_jitter": (0, 1.5),
    "camera.fov_jitter": (0, 1.25),
    "camera.fov_y": (0.05, 2.5),
    "camera.key_frames.azimuth": (-1000, 1000),
    "camera.key_frames.distance": (0.5, 50),
    "camera.key_frames.elevation": (-1.5, 1.5),
    "camera.key_frames.fov_y": (0.05, 2.5),
    "camera.key_frames.pan": (-10, 10),
    "camera.key_frames.target_height": (-2, 4),
    "camera.key_frames.tilt": (-1.5, 1.5),
    "camera.key_frames.time": (0, 1e6),
    "camera.margin": (0, 0.9),
    "camera.pan_angle": (-10, 10),
    "camera.size": (16, 2048),
    "camera.target_height": (-2, 4),
    "camera.turn_angle": (-1000, 1000),
    "camera.zoom_factor": (0.05, 20),
    "diagnose.latent_steps": (0, 1_000_000),
    "diagnose.motions": (0, 64),
    "field.deviations": (0.1, 20),
    "field.frequencies": (1, 64),
    "field.hash_coarsest": (2, 4096),
    "field.hash_finest": (2, 65_536),
    "field.hash_levels": (1, 16),
    "field.hash_log2_table": (3, 20),
    "field.width": (1, 4096),
    "gradient.draws": (0, 10_000),
    "gradient.guidance_scales": (0, 1000),
    "gradient.noise": (1e-3, 2),
    "gradient.waves": (1, 1024),
    "image_prior.first_level": (0.01, 0.99),
    "image_prior.frames": (1, 1024),
    "image_prior.guidance_scale": (0, 1000),
    "image_prior.last_level": (0.01, 0.99),
    "image_prior.weight": (0, 1e9),
    "init.guidance_scale": (0, 1000),
    "init.learning_rate": (0, 1),
    "init.num_samples": (1, 64),
    "init.num_stances": (1, 3),
    "init.num_steps": (0, 1_000_000),
    "init.sampling_steps": (1, 1000),
    "init.upright": (0, 1e6),
    "init.usual_poses": (0, 1e6),
    "latents.fit_steps": (1, 1_000_000),
    "output.fps": (1, 240),
    "output.frame": (0, 1_000_000_000),
    "output.influences": (1, 64),
    "output.points": (1, 10_000),
    "output.repeats": (1, 1000),
    "prior.batch_size": (1, 4096),
    "probe.draws": (1, 10_000),
    "probe.jitter": (1e-3, 3),
    "probe.levels": (-8, 8),
    "probe.motions": (1, 10_000),
    "probe.null_copies": (0, 100),
    "probe.slide_speed": (0.01, 5),
    "regularize.angular_speed": (0, 1e9),
    "regularize.balance": (0, 1e9),
    "regularize.foot_floating": (0, 1e9),
    "regularize.foot_sliding": (0, 1e9),
    "regularize.geodesic_acceleration": (0, 1e9),
    "regularize.geodesic_velocity": (0, 1e9),
    "regularize.ground_penetration": (0, 1e9),
    "regularize.joint_acceleration": (0, 1e9),
    "regularize.joint_limits": (0, 1e9),
    "regularize.key_frames.frame": (0, 1_000_000_000),
    "regularize.key_frames.position": (-1000, 1000),
    "regularize.key_frames.time": (0, 1e6),
    "regularize.key_frames.weight": (0, 1e9),
    "regularize.pose_deviation": (0, 1e9),
    "regularize.rotation_6d": (0, 1e9),
    "regularize.self_penetration": (0, 1e9),
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
    "run.fps": (1, 240),
    "run.frames": (1, 1024),
    "run.keep_checkpoints": (1, 1_000_000),
    "run.log_every": (0, 1_000_000),
    "run.seconds": (0.1, 600),
    "run.seed": (0, 2**63 - 1),
    "run.threads": (1, 1024),
    "run.window": (3, 1024),
    "sample.guidance_scale": (0, 1000),
    "sample.num_steps": (1, 1000),
    "sample.size": (16, 2048),
    "score.accumulate": (1, 64),
    "score.azimuth_jitter": (0, 3.1416),
    "score.domain_level": (0, 1),
    "score.first_level": (0.02, 0.98),
    "score.guidance_rescale": (0, 1),
    "score.guidance_scale": (0, 1000),
    "score.inversion_guidance_scale": (-1000, 1000),
    "score.inversion_noise": (0, 1),
    "score.last_guidance_scale": (0, 1000),
    "score.last_level": (0.02, 0.98),
    "score.learning_rate": (0, 1),
    "score.level_jitter": (0, 0.5),
    "score.lora_learning_rate": (0, 1),
    "score.lora_rank": (1, 1024),
    "score.max_gradient": (1e-9, 1e9),
    "score.max_norm": (1e-9, 1e9),
    "score.motion_amplification": (0, 1000),
    "score.num_steps": (0, 1_000_000),
    "score.target_steps": (1, 1000),
    "score.updates_per_target": (1, 10_000),
    "score.views": (1, 64),
    "score.weight": (0, 1e9),
    "split.held_out": (0, 0.9),
    "window.fps": (1, 120),
    "window.frames": (2, 1024),
    "window.parametric": (0, 100_000),
}

# Objectives with one guided estimate; `csd` and `nfsd` have none.
_ESTIMATING: Final = ("sds", "dds", "moving_minus_static", "multi_step", "sdi", "vsd")
_CONTRASTING: Final = ("csd", *_ESTIMATING)
# Keys that only some choices use: the key that chooses, and the choices that do.
USED_WITH: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "render.appearance": ("render.shading", ("lambert", "unlit")),
    "render.colour": ("render.appearance", ("plain",)),
    "render.outfit": ("render.appearance", ("clothing",)),
    "render.texture": ("render.appearance", ("texture",)),
    "render.light": ("render.shading", ("lambert",)),
    "render.ambient": ("render.shading", ("lambert",)),
    "render.background_colour": ("render.background", ("solid",)),
    "render.background_file": ("render.background", ("image", "cube")),
    "render.ground_colour": ("render.ground", ("plain", "checkered")),
    "render.shadow": ("render.ground", ("plain", "checkered")),
    "field.frequencies": ("field.encoding", ("fourier",)),
    "field.width": ("field.encoding", ("fourier", "hash")),
    "field.hash_levels": ("field.encoding", ("hash",)),
    "field.hash_features": ("field.encoding", ("hash",)),
    "field.hash_coarsest": ("field.encoding", ("hash",)),
    "field.hash_finest": ("field.encoding", ("hash",)),
    "field.hash_log2_table": ("field.encoding", ("hash",)),
    "init.guidance_scale": ("init.start", ("sampled",)),
    "init.learning_rate": ("init.start", ("sampled", "reference")),
    "init.motion": ("init.start", ("reference",)),
    "init.num_samples": ("init.start", ("sampled",)),
    "init.num_steps": ("init.start", ("sampled", "reference")),
    "init.num_stances": ("init.start", ("sampled",)),
    "init.sampling_steps": ("init.start", ("sampled",)),
    "init.upright": ("init.start", ("sampled",)),
    "init.usual_poses": ("init.start", ("sampled",)),
    "field.action": ("field.statistics", ("action",)),
    "field.deviations": ("field.constraint", ("soft", "hard")),
    "score.avoid_other_views": ("score.objective", _CONTRASTING),
    "score.domain_level": ("score.objective", ("nfsd",)),
    "score.first_level": ("score.levels", ("given", "probed")),
    "score.guidance_base": ("score.objective", _CONTRASTING),
    "score.guidance_rescale": ("score.objective", _ESTIMATING),
    "score.inversion_guidance_scale": ("score.objective", ("sdi",)),
    "score.inversion_noise": ("score.objective", ("sdi",)),
    "score.last_level": ("score.levels", ("given", "probed")),
    "score.level_jitter": ("score.level_path", ("linear", "sqrt", "inverse_cdf")),
    "score.lora_learning_rate": ("score.objective", ("vsd",)),
    "score.lora_rank": ("score.objective", ("vsd",)),
    "score.probe": ("score.levels", ("auto", "probed")),
    "score.reference_prompt": ("score.objective", ("dds", "moving_minus_static")),
    "score.target_steps": ("score.objective", ("multi_step", "sdi")),
}


def groups(schema: type) -> dict[str, type]:
    """The groups of a job's keys, with their dataclasses."""
    return {group.name: cast(type, group.type) for group in dataclasses.fields(schema)}


def knobs(schema: type) -> dict[str, tuple[Any, Any]]:
    """Type and default of every dotted key; a job may give a group's keys other defaults."""
    return {
        f"{group.name}.{knob.name}": (knob.type, getattr(defaults, knob.name))
        for group in dataclasses.fields(schema)
        for defaults in (cast(Any, group.default_factory)(),)
        for knob in dataclasses.fields(defaults)
    }


def records(kind: Any) -> type | None:
    """The dataclass of which a knob of this type holds a list; None for other knobs."""
    if get_origin(kind) is list and dataclasses.is_dataclass(get_args(kind)[0]):
        return cast(type, get_args(kind)[0])
    return None


def show(value: Any) -> str:
    """A value as it would be written in YAML."""
    return "null" if value is None else repr(list(value) if isinstance(value, tuple) else value)


def check_ranges(config: Any, ranges: Ranges = RANGES) -> None:
    """Raises ValueError that names the first key of a job's configuration out of its range."""
    for key, (kind, default) in knobs(type(config)).items():
        group, name = key.split(".")
        value = getattr(getattr(config, group), name)
        if records(kind) is None:
            _check(ranges, key, key, value, default)
            continue
        for index, record in enumerate(value):
            for part in dataclasses.fields(record):
                given = getattr(record, part.name)
                inner = f"{key}.{part.name}", f"{key}[{index}].{part.name}"
                _check(ranges, *inner, given, part.default)


def check_used(config: Any) -> None:
    """Raises ValueError that names the first key of `USED_WITH` that the choices would ignore."""
    known = knobs(type(config))

    def value(key: str) -> Any:
        group, name = key.split(".")
        return getattr(getattr(config, group), name)

    for key, (chooser, choices) in USED_WITH.items():
        if key in known and value(key) != known[key][1] and value(chooser) not in choices:
            raise ValueError(
                f"`{key}` must be left out with {chooser}={value(chooser)}, got "
                f"{show(value(key))}; add {chooser}={' or '.join(choices)}."
            )


def check_jitters(camera: Any) -> None:
    """Refuses jitters that would leave no camera, before anything is loaded; see `Orbit`."""
    for name, jitter_name, low, high in (
        ("elevation", "elevation_jitter", -math.pi / 2, math.pi / 2),
        ("distance", "distance_jitter", 0.0, math.inf),
        ("fov_y", "fov_jitter", 0.0, math.pi),
    ):
        value, jitter = getattr(camera, name), getattr(camera, jitter_name)
        if not low < value - jitter <= value + jitter < high:
            raise ValueError(
                f"`camera.{jitter_name}` must leave camera.{name}={value:g} between {low:g} and "
                f"{high:g}, got {jitter:g}; take less than {min(value - low, high - value):g}."
            )


def _check(ranges: Ranges, key: str, name: str, value: Any, default: Any) -> None:
    if key not in ranges or value is None:
        return
    low, high = ranges[key]
    numbers = value if isinstance(value, tuple) else (value,)
    if not all(low <= number <= high for number in numbers):  # false for nan, too
        usual = "" if default is dataclasses.MISSING else f"; the default is {show(default)}"
        raise ValueError(
            f"`{name}` must be between {low:g} and {high:g}, got {show(value)}{usual}."
        )
