"""What the field can be told: how it stands for the motion, and what it may know."""

from dataclasses import dataclass
from typing import Any, Literal

from motiondistill.motion.pose_space import DEFAULT_GROUPS, Group
from motiondistill.schema.knobs import show


@dataclass(frozen=True)
class FieldSettings:
    """Knobs of the field, which stands for the motion while it is optimised."""

    # How the motion depends on time. `fourier`: a network of sines and cosines of normalised time.
    # `hash`: a network of a multiresolution hash grid, by tiny-cuda-nn where it is installed.
    # `legacy`: the paper's small network of frame numbers, which alias. `free`: no network, each
    # frame has numbers of its own.
    encoding: Literal["fourier", "hash", "legacy", "free"] = "fourier"
    # Octaves of `fourier`, half a turn a clip the lowest, or of a loop its harmonics; null takes
    # 4 for two seconds, and so many more for longer motions that none gets slower.
    frequencies: int | None = None
    # Units in each of the two hidden layers of `fourier` and `hash`.
    width: int = 128
    # Levels of `hash`.
    hash_levels: int = 6
    # Numbers in each entry.
    hash_features: Literal[1, 2, 4, 8] = 4
    # Vertices along time of the coarsest level.
    hash_coarsest: int = 2
    # And of the finest; null takes the motion's frames.
    hash_finest: int | None = None
    # Base-2 logarithm of the most entries of a level; finer ones share theirs by a hash.
    hash_log2_table: int = 12
    # What moves; the rest stays as it starts. Also `hands` and `jaw`, on bodies that have them.
    groups: tuple[Group, ...] = DEFAULT_GROUPS
    # The pose to start from: a neutral stance, or the mean of `field.statistics`.
    start: Literal["neutral", "mean"] = "neutral"
    # How far joints may turn. `limits`: softly within anatomical limits. `soft` and `hard`: softly,
    # or cut off as in the paper, within `field.deviations` of the mean of `field.statistics`.
    # `none`: any rotation.
    constraint: Literal["limits", "soft", "hard", "none"] = "limits"
    # Poses of motion capture: of all actions together (`generic`), or of one (`action`, as in the
    # paper, which knows the answer: the results say so).
    statistics: Literal["generic", "action", "none"] = "generic"
    # The action of `field.statistics=action`; it is not guessed from the prompt.
    action: str | None = None
    # Standard deviations from the mean that `soft` and `hard` leave to the joints.
    deviations: float = 3.0
    # Whether the first frame follows the last as any frame follows the one before.
    loop: bool = False


def check_field(config: Any) -> None:
    """Refuses choices of the field that exclude one another, before anything is loaded."""
    field = config.field
    if not field.groups or len({*field.groups}) < len(field.groups):
        raise ValueError(
            f"`field.groups` must hold one group or more, each once, got {show(field.groups)}; "
            f"the default is {show(DEFAULT_GROUPS)}."
        )
    if field.statistics == "none":
        for key, value in (("constraint", field.constraint), ("start", field.start)):
            if value in ("soft", "hard", "mean"):
                raise ValueError(
                    f"`field.{key}` must not be {value} with field.statistics=none, which has no "
                    "mean; leave it out or add field.statistics=generic."
                )
    if field.loop and field.encoding == "legacy":
        raise ValueError(
            "`field.loop` must be false with field.encoding=legacy, whose frames know no period, "
            "got True; leave it out or add field.encoding=fourier."
        )
    if field.hash_finest is not None and field.hash_finest < field.hash_coarsest:
        raise ValueError(
            f"`field.hash_finest` must be at least field.hash_coarsest={field.hash_coarsest}, got "
            f"{field.hash_finest}; leave it out to take the motion's frames."
        )
    if config.run.frames is not None and config.run.seconds is not None:
        raise ValueError(
            f"`run.seconds` must be left out with run.frames={config.run.frames}, got "
            f"{config.run.seconds:g}; both tell the motion's length."
        )
