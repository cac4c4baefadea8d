"""Priors from folders on disk, in the layout of the family's own pipeline; downloads nothing."""

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch

from motiondistill.priors.base import DiffusersPrior, VideoFormat
from motiondistill.priors.compiled import compiled
from motiondistill.priors.embedding_cache import CachedText, EmbeddingFiles, fingerprint
from motiondistill.priors.families import FAMILIES
from motiondistill.priors.family import Checkpoint, Components, Family
from motiondistill.priors.memory import check_room
from motiondistill.priors.on_demand import OnDemand
from motiondistill.priors.placement import PlacedCodec, PlacedDenoiser, Placement
from motiondistill.priors.weights import (
    Part,
    check_parts,
    load_network,
    load_tokenizer,
    parts_of,
    read_json,
    read_scheduler,
)

EMBEDDED_PRIOR: Final = Path(__file__).parent / "embedded"
"""The folder of the video prior that is shipped with the package."""
EMBEDDED_IMAGE_PRIOR: Final = Path(__file__).parent / "embedded_image"
"""The folder of the image prior that is shipped with the package."""

NATIVE_FILE: Final = "motiondistill.json"
"""What pipelines do not record: the clips a model was trained on, and the length of its text."""

_NATIVE_COUNTS: Final = ("frames", "height", "width", "text_length")


def load_prior(
    folder: Path,
    placement: Placement | None = None,
    *,
    checkpoint: Checkpoint | None = None,
    revision: str | None = None,
    embeddings: Path | None = None,
    allow_pickle: bool = False,
    compile_denoiser: bool = False,
) -> DiffusersPrior:
    """The frozen prior in a pipeline folder, recognised by its `model_index.json`.

    By default on the CPU in single precision. Text encoders are read when a prompt is embedded, and
    released afterwards; with `embeddings`, a folder, every prompt is embedded once for all runs.
    `checkpoint` is what is known of the weights, and `revision` their commit; without one, the
    embeddings belong to the files' times of change.
    `allow_pickle` lets `.bin` weights run programs. `compile_denoiser` does so at its first use.

    Raises FileNotFoundError for what is missing, and ValueError for what is corrupt or unsupported.
    """
    family, placement = family_of(folder), placement or Placement()
    native, text_length = native_of(folder, family, checkpoint)
    components = load_components(folder, family, placement, allow_pickle=allow_pickle)
    prior = family.compose(components, native, text_length)
    if compile_denoiser:
        prior = dataclasses.replace(prior, denoiser=compiled(prior.denoiser))
    texts = [network for network in components.values() if isinstance(network, OnDemand)]

    def release() -> None:
        for network in texts:
            network.release()

    files = None
    if embeddings is not None:
        known = revision or fingerprint(_spoken(folder, family))
        identity = (str(folder), known, str(text_length), str(placement.text_dtype), *_versions())
        files = EmbeddingFiles(embeddings, identity)
    text = CachedText(prior.text, files=files, release=release)
    return placed(dataclasses.replace(prior, text=text), placement)


def family_of(folder: Path) -> Family:
    """The family whose pipeline the folder's `model_index.json` names.

    Raises ValueError, with what is supported, for another one.
    """
    name = read_json(folder / "model_index.json", folder).get("_class_name")
    for family in FAMILIES:
        if family.pipeline == name:
            return family
    supported = ", ".join(family.pipeline for family in FAMILIES)
    raise ValueError(
        f"`{folder / 'model_index.json'}` must name a supported pipeline ({supported}), "
        f"got {name!r}; choose a folder of one of these."
    )


def load_components(
    folder: Path,
    family: Family,
    placement: Placement | None = None,
    *,
    allow_pickle: bool = False,
) -> Components:
    """The parts that the family names, frozen; an optional part that the folder lacks is None.

    Text encoders are there on demand. Raises as `load_prior` does.
    """
    placement = placement or Placement()
    index = read_json(folder / "model_index.json", folder)
    components: dict[str, Any] = {
        "model_index": index,
        "scheduler": read_scheduler(folder),
    }
    # All of them before the first one is read, which may take minutes.
    check_parts(folder, family)
    parts = parts_of(folder, family)
    check_room({name: part for name, part in parts.items() if not _speaks(name)}, placement)
    for name in family.classes:
        part = parts.get(name)
        if part is None:
            components[name] = None
        elif part.is_tokenizer:
            components[name] = load_tokenizer(part)
        else:
            load = partial(load_network, part, *placement.of(name), allow_pickle=allow_pickle)
            speaking = partial(_load_with_room, name, part, placement, load)
            components[name] = OnDemand(speaking) if _speaks(name) else load()
    return components


def native_of(
    folder: Path, family: Family, checkpoint: Checkpoint | None = None
) -> tuple[VideoFormat, int]:
    """The native clip and the text length: of the folder's own file, else of what is known."""
    path = folder / NATIVE_FILE
    if not path.exists():
        return checkpoint.native if checkpoint else family.native, family.text_length
    content = read_json(path, folder)
    for name in ("fps", *_NATIVE_COUNTS):
        value = content.get(name)
        numeric = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        if not numeric or (name in _NATIVE_COUNTS and not isinstance(value, int)):
            kind = "a whole number" if name in _NATIVE_COUNTS else "a number"
            raise ValueError(
                f"`{name}` in `{path}` must be {kind} above 0, got {value!r}; correct the file."
            )
    frames, height, width, text_length = (content[name] for name in _NATIVE_COUNTS)
    return VideoFormat(float(content["fps"]), frames, height, width), text_length


def write_native(folder: Path, native: VideoFormat, text_length: int) -> None:
    """The file that tells `load_prior` a self-trained folder's native clip and text length."""
    fields = {name: getattr(native, name) for name in ("fps", "frames", "height", "width")}
    content = json.dumps({**fields, "text_length": text_length}, indent=2)
    (folder / NATIVE_FILE).write_text(content + "\n", encoding="utf-8")


def randomized(prior: DiffusersPrior, generator: torch.Generator) -> DiffusersPrior:
    """The same prior with freshly initialised denoiser weights: a control that knows nothing."""
    return dataclasses.replace(prior, denoiser=prior.denoiser.randomized(generator))


def placed(prior: DiffusersPrior, placement: Placement) -> DiffusersPrior:
    """The prior, serving callers from elsewhere where that is not what its parts do anyway."""
    device, batch_size = placement.device, placement.batch_size
    if torch.device(device).type == "cpu" and batch_size is None:
        return prior
    return dataclasses.replace(
        prior,
        codec=PlacedCodec(prior.codec, device),
        denoiser=PlacedDenoiser(prior.denoiser, device, batch_size),
    )


def _load_with_room(name: str, part: Part, placement: Placement, load: Callable[[], Any]) -> Any:
    # Only now: where every prompt is known already, a text encoder never takes any room.
    check_room({name: part}, placement)
    return load()


def _spoken(folder: Path, family: Family) -> list[Path]:
    """All that embeddings depend on; how wide, and of which parts, the other files tell."""
    whole = [folder / name for name in family.classes if _speaks(name)]
    return [*whole, folder / "model_index.json", *folder.glob("*/config.json")]


def _speaks(name: str) -> bool:
    """Whether embeddings depend on the part of that name."""
    return name.startswith(("text_encoder", "tokenizer"))


def _versions() -> tuple[str, ...]:
    """What else made the embeddings."""
    return tuple(version(package) for package in ("motiondistill", "transformers"))
