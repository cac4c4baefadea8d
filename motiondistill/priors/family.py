"""What is known of a family of models before any of its weights is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, final

from motiondistill.priors.base import DiffusersPrior, VideoFormat

Components: TypeAlias = Mapping[str, Any]
"""A pipeline's parts by their names in `model_index.json`: networks, tokenizers, `scheduler` as its
configuration, and `model_index` itself."""


@final
@dataclass(frozen=True)
class Checkpoint:
    """Released weights that have a short name."""

    name: str
    """What `prior.model` may be set to."""
    hub_id: str
    licence: str
    native: VideoFormat
    """The clips it was trained on, with the rules for others that follow from its configuration."""
    gated: bool = False
    """Whether the hub asks for an account that accepted the licence."""


@final
@dataclass(frozen=True)
class Recipe:
    """Released weights that no repository holds as a pipeline: a folder must be made of them."""

    name: str
    """For tables and messages; `prior.model` is the folder that was made."""
    licence: str
    native: VideoFormat
    how: str
    """What makes the folder."""


@final
@dataclass(frozen=True)
class Family:
    """How one kind of pipeline becomes a prior."""

    title: str
    pipeline: str
    """Class name in `model_index.json`."""
    kind: Literal["video", "image"]
    native: VideoFormat
    """Of folders whose checkpoint is not known."""
    text_length: int
    """Tokens of a prompt; part of what the model was trained on."""
    classes: Mapping[str, str]
    """The class of every part to load, `library.Class`; parts that are left out stay unread."""
    compose: Callable[[Components, VideoFormat, int], DiffusersPrior]
    """The prior of (components, native clip, text length)."""
    checkpoints: tuple[Checkpoint, ...]
    recipes: tuple[Recipe, ...] = ()
    optional: tuple[str, ...] = ()
    """Parts that a pipeline may lack: their component then is None."""
    guidance_distilled: bool = False
    """Whether the released weights imitate guidance in one pass; two passes then come on top."""
