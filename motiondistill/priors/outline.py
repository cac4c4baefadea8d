"""Priors made of configurations alone: shapes and rules, but no weights and no memory."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch

from motiondistill.priors.base import DiffusersPrior
from motiondistill.priors.costs import count_parameters, empty_network
from motiondistill.priors.families import known
from motiondistill.priors.family import Checkpoint
from motiondistill.priors.loading import family_of, native_of
from motiondistill.priors.placement import Placement
from motiondistill.priors.published import PUBLISHED
from motiondistill.priors.weights import Part, as_misfit, parts_of, read_json, read_scheduler


@final
@dataclass(frozen=True)
class Outline:
    """What configurations say of a prior."""

    prior: DiffusersPrior
    """Its networks are on the meta device; it has no tokenizer, and so embeds nothing."""
    parameters: Mapping[str, int]
    """Numbers in the weights of every network, by the part's name."""


def outline(
    folder: Path, placement: Placement | None = None, checkpoint: Checkpoint | None = None
) -> Outline:
    """The prior in a folder as far as configurations tell; its weights need not be there.

    Raises FileNotFoundError and ValueError as `load_prior` does.
    """
    family, placement = family_of(folder), placement or Placement()
    components: dict[str, Any] = dict.fromkeys(family.classes)
    components["model_index"] = read_json(folder / "model_index.json", folder)
    components["scheduler"] = read_scheduler(folder)
    networks = {
        name: _empty(part, placement.of(name)[1])
        for name, part in parts_of(folder, family).items()
        if not part.is_tokenizer
    }
    native, text_length = native_of(folder, family, checkpoint)
    prior = family.compose({**components, **networks}, native, text_length)
    return Outline(prior, {name: count_parameters(network) for name, network in networks.items()})


def published_outline(
    name: str, placement: Placement | None = None, *, left_out: Collection[str] = ()
) -> Outline:
    """The prior of that name in `PUBLISHED`, without any file of it.

    Parts that are `left_out` are None, and not among the parameters. Raises KeyError for a name
    that is not published.
    """
    import diffusers

    published, placement = PUBLISHED[name], placement or Placement()
    found = known(name)
    if found is None:
        raise KeyError(name)
    family, released = found
    networks: dict[str, Any] = {}
    for part, config in published.parts.items():
        if part not in left_out:
            kind = Part(Path(part), family.classes[part]).kind
            networks[part] = empty_network(kind, config, placement.of(part)[1])
    components: dict[str, Any] = dict.fromkeys(family.classes) | networks
    components["model_index"] = {"_class_name": family.pipeline, **published.index}
    scheduler: Any = getattr(diffusers, published.scheduler["_class_name"])
    # Filled up with the library's defaults, as in a saved folder.
    defaults = scheduler.from_config(published.scheduler).config
    components["scheduler"] = {**defaults, **published.scheduler}
    prior = family.compose(components, released.native, family.text_length)
    return Outline(prior, {part: count_parameters(network) for part, network in networks.items()})


def _empty(part: Part, dtype: torch.dtype) -> Any:
    config = read_json(part.folder / "config.json", part.folder.parent)
    with as_misfit(part):
        return empty_network(part.kind, config, dtype)
