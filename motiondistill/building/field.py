"""Fields from configurations: what stands for the motion, what it knows, and how long it is."""

import math
from typing import Final, assert_never

import torch

from motiondistill.body.base import Body
from motiondistill.motion.constraints import Constraint, HardRange, SoftRange, Unbounded
from motiondistill.motion.encodings import Encoding, FourierEncoding
from motiondistill.motion.field import MotionField
from motiondistill.motion.free_field import FreeField
from motiondistill.motion.hash_grid import GridShape, HashEncoding
from motiondistill.motion.legacy_field import LegacyField
from motiondistill.motion.limits import anatomical_limits
from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.pose_space import PoseSpace
from motiondistill.motion.stances import Stance
from motiondistill.motion.statistics import PoseStatistics, known_actions, load_statistics
from motiondistill.motion.timeline import Timeline
from motiondistill.priors.base import VideoFormat
from motiondistill.schema.field import FieldSettings
from motiondistill.schema.runs import RunConfig
from motiondistill.structures import NUM_JOINTS

IMAGE_FRAMES: Final = 16
"""Of a clip for priors that know images alone: two seconds at their nominal rate."""
# The default encoding was chosen on clips of this length.
_USUAL_SECONDS: Final = 2.0
_USUAL_FREQUENCIES: Final = 4


def make_field(
    config: FieldSettings,
    timeline: Timeline,
    space: PoseSpace,
    *,
    stance: Stance,
    generator: torch.Generator,
) -> MotionField:
    """A new field at its start, in this stance."""
    encoding: Encoding
    match config.encoding:
        case "fourier":
            encoding = FourierEncoding(_frequencies(config, timeline), loop=config.loop)
        case "hash":
            shape = _grid_shape(config, timeline)
            encoding = HashEncoding(shape, loop=config.loop, generator=generator)
        case "legacy":
            frames = timeline.num_frames
            return LegacyField(frames, space=space, stance=stance, generator=generator)
        case "free":
            frames = timeline.num_frames
            return FreeField(frames, space=space, stance=stance, loop=config.loop)
        case _:
            assert_never(config.encoding)
    return PoseField(
        encoding=encoding,
        width=config.width,
        space=space,
        stance=stance,
        loop=config.loop,
        generator=generator,
    )


def make_space(config: FieldSettings) -> PoseSpace:
    """What the field's numbers mean, with the start and the constraint of the configuration.

    Raises ValueError for an action that has no statistics.
    """
    statistics = make_statistics(config)
    neutral = anatomical_limits().neutral
    mean = neutral if statistics is None else statistics.mean
    start = mean if config.start == "mean" else neutral
    constraint: Constraint
    match config.constraint:
        case "limits":
            constraint, centre = anatomical_limits(), neutral
        case "none":
            constraint, centre = Unbounded(start), start
        case "soft" | "hard":
            assert statistics is not None  # the configuration was checked
            bound, centre = config.deviations * statistics.std, mean
            kind = SoftRange if config.constraint == "soft" else HardRange
            constraint = kind(mean, bound)
        case _:
            assert_never(config.constraint)
    # The inverse would leave a rounding error of what is exactly zero.
    at_centre = torch.equal(start, centre)
    numbers = torch.zeros(NUM_JOINTS - 1, 3) if at_centre else constraint.inverse(start)
    return PoseSpace(constraint, numbers, config.groups)


def make_statistics(config: FieldSettings) -> PoseStatistics | None:
    """The pose statistics that the motion may know, if any.

    Raises ValueError for an action that has none.
    """
    match config.statistics:
        case "none":
            return None
        case "generic":
            return load_statistics()
        case "action":
            if config.action not in (known := known_actions()):
                raise ValueError(
                    f"`field.action` must be an action that has pose statistics "
                    f"({', '.join(known)}), got {config.action or 'null'}; choose one of them, or "
                    "field.statistics=generic."
                )
            return load_statistics(config.action)
        case _:
            assert_never(config.statistics)


def answer_known(config: FieldSettings) -> str:
    """What the motion was told of the answer, in words for the results; empty for nothing."""
    if config.statistics != "action":
        return ""
    return f"pose statistics of the action {config.action!r} (field.statistics=action)"


def check_groups(config: FieldSettings, body: Body) -> None:
    """Raises ValueError for groups that the body cannot move."""
    asked = [group for group in config.groups if group in ("hands", "jaw")]
    if not asked:
        return
    posed = PoseSpace(groups=config.groups)
    try:
        body(posed(posed.first()[None], 1.0))
    except ValueError as error:
        raise ValueError(
            f"`field.groups` must not hold {' and '.join(asked)} with the body {body.name!r}, "
            f"which has none, got {list(config.groups)}; leave them out, or take another body "
            "(body.resolution=full)."
        ) from error


def make_timeline(config: FieldSettings, run: RunConfig, native: VideoFormat) -> Timeline:
    """How long the motion lasts, at the prior's rate."""
    if run.seconds is not None:
        frames = max(3, round(run.seconds * native.fps))
    else:
        frames = run.frames or (IMAGE_FRAMES if _takes_images(native) else native.frames)
    return Timeline(frames, native.fps, config.loop)


def window_frames(run: RunConfig, timeline: Timeline, native: VideoFormat) -> int:
    """How many frames the prior sees at once: the whole motion, or what it takes of it.

    Raises ValueError for a window that is longer than a motion that does not loop.
    """
    frames = timeline.num_frames
    if run.window is not None:
        if run.window > frames and not timeline.loop:
            raise ValueError(
                f"`run.window` must be at most the motion's {frames} frames, got {run.window}; "
                "lengthen the motion by run.frames or run.seconds, or leave run.window out."
            )
        return run.window
    longest = native.frames if native.frame_step == 0 else native.max_frames
    too_long = longest is not None and frames > longest
    # A prior of clips sees a short loop several times over.
    too_short = timeline.loop and frames < native.frames
    return native.frames if too_long or too_short else frames


def _takes_images(native: VideoFormat) -> bool:
    """Whether the prior takes any number of single images."""
    return (native.frames, native.frame_step, native.frame_offset) == (1, 1, 0)


def _frequencies(config: FieldSettings, timeline: Timeline) -> int:
    """Octaves, or a loop's harmonics: 4 reach 2 Hz in two seconds, and longer motions shall too."""
    if config.frequencies is not None:
        return config.frequencies
    ratio = max(1.0, timeline.num_frames / timeline.fps / _USUAL_SECONDS)
    if timeline.loop:
        return math.ceil(_USUAL_FREQUENCIES * ratio)
    return _USUAL_FREQUENCIES + math.floor(math.log2(ratio))


def _grid_shape(config: FieldSettings, timeline: Timeline) -> GridShape:
    finest = config.hash_finest or max(timeline.num_frames, config.hash_coarsest)
    return GridShape.up_to(
        finest,
        levels=config.hash_levels,
        features=config.hash_features,
        coarsest=config.hash_coarsest,
        log2_table=config.hash_log2_table,
    )
