"""Where a prior's files are: shipped, in a folder of the user's, or on the Hugging Face hub."""

import difflib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from motiondistill.priors.families import FAMILIES, known
from motiondistill.priors.family import Checkpoint, Recipe
from motiondistill.priors.loading import (
    EMBEDDED_IMAGE_PRIOR,
    EMBEDDED_PRIOR,
    NATIVE_FILE,
    family_of,
)
from motiondistill.priors.weight_files import weight_files
from motiondistill.priors.weights import check_parts, parts_of

logger = logging.getLogger(__name__)

EMBEDDED: Final = "embedded"
EMBEDDED_IMAGE: Final = "embedded-image"
SHIPPED: Final = {EMBEDDED: EMBEDDED_PRIOR, EMBEDDED_IMAGE: EMBEDDED_IMAGE_PRIOR}
"""The folders of the priors that are shipped with the package, by their names."""
GAUSSIAN: Final = "gaussian"
"""The name of the prior in closed form, which has no files."""
INDEX: Final = "model_index.json"

_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_CONFIGURATIONS: Final = ("*.json", "*.txt", "*.model")
# Copies of the weights in another precision or for another use, beside those that are loaded.
_VARIANTS: Final = ("*.fp16[.-]*", "*.bf16[.-]*", "*.non_ema[.-]*")


@final
@dataclass(frozen=True)
class Location:
    """The files of a prior."""

    folder: Path
    revision: str | None = None
    """The commit, for files from the hub."""
    checkpoint: Checkpoint | None = None
    """What is known of these weights, if they are known."""


def locate(model: str, revision: str | None = None) -> Location:
    """The files of a shipped prior, a short name, a folder or a hub id, downloaded if they must be.

    A name goes before a folder of that name (write `./name` for the folder), a folder before a hub
    id. What is complete in the hub's local cache is used as it is, without asking the hub.
    `revision` is a branch, tag or commit of the hub's; its commit is part of the answer.

    Raises FileNotFoundError and ValueError that say what to do.
    """
    found = None if model in SHIPPED else known(model)
    checkpoint = found[1] if found and isinstance(found[1], Checkpoint) else None
    if model in SHIPPED or (checkpoint is None and Path(model).is_dir()):
        if revision is not None:
            raise ValueError(
                f"`prior.revision` must be left out for prior.model={model}, which is a folder, "
                f"got {revision!r}; leave it out."
            )
        return Location(SHIPPED.get(model, Path(model)))
    if found and isinstance(found[1], Recipe):
        raise FileNotFoundError(
            f"`prior.model` must be a folder for {model}, which no repository holds as a "
            f"pipeline; make one by {found[1].how}, then set prior.model=FOLDER."
        )
    if checkpoint is None and not _HUB_ID.fullmatch(model):
        names = [
            *SHIPPED,
            GAUSSIAN,
            *(item.name for family in FAMILIES for item in family.checkpoints),
        ]
        raise FileNotFoundError(
            "`prior.model` must be a name that `motiondistill priors` lists, a pipeline folder, or "
            f"a hub id OWNER/NAME, got {model!r}; {_meant(model, names)}"
        )
    hub_id = checkpoint.hub_id if checkpoint else model
    folder = cached(hub_id, revision) or _download(hub_id, revision)
    commit = folder.name if _COMMIT.fullmatch(folder.name) else None
    return Location(folder, commit, checkpoint)


def _meant(model: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(model, names, n=1)
    return f"did you mean {near[0]}?" if near else "check the path."


def cached(hub_id: str, revision: str | None = None) -> Path | None:
    """The complete snapshot in the hub's local cache, or None; asks nobody."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        # The index alone: what else belongs to the prior is known once it has been read.
        folder = Path(
            snapshot_download(
                hub_id, revision=revision, allow_patterns=[INDEX], local_files_only=True
            )
        )
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    if not (folder / INDEX).is_file():
        return None
    try:
        check_parts(folder, family_of(folder))
    except FileNotFoundError:
        return None  # a download was interrupted, or fetched other files of the repository
    return folder


def _download(hub_id: str, revision: str | None) -> Path:
    logger.info("downloading %s from the hub; it is kept in the hub's cache", hub_id)
    index = _fetch(hub_id, revision, [INDEX, NATIVE_FILE])
    if not (index / INDEX).is_file():
        raise ValueError(
            f"`prior.model` must be a repository in the layout of a pipeline, got {hub_id} without "
            f"{INDEX}; choose one whose name ends in -diffusers, or convert it."
        )
    family, commit = family_of(index), index.name
    names = list(parts_of(index, family))
    folder = _fetch(hub_id, commit, [INDEX, NATIVE_FILE, *_patterns(names, ".safetensors")])
    pickled = [name for name in names if _lacks_weights(folder / name)]
    if pickled:
        folder = _fetch(hub_id, commit, _patterns(pickled, ".bin"))
    return folder


def _patterns(parts: Sequence[str], weights: str) -> list[str]:
    scheduler = [] if weights == ".bin" else ["scheduler/*.json"]
    kinds = (*_CONFIGURATIONS, f"*model*{weights}")
    return [*scheduler, *(f"{part}/{kind}" for part in parts for kind in kinds)]


def _lacks_weights(folder: Path) -> bool:
    return (folder / "config.json").is_file() and not weight_files(folder, ".safetensors")


def _fetch(hub_id: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """The snapshot with the files of these patterns, in the words of our own errors."""
    from huggingface_hub import errors, snapshot_download

    try:
        folder = snapshot_download(
            hub_id,
            revision=revision,
            allow_patterns=list(patterns),
            ignore_patterns=list(_VARIANTS),
        )
    except errors.GatedRepoError as error:
        raise ValueError(
            f"`prior.model` must be weights that you may download, but {hub_id} is gated; accept "
            f"its licence at https://huggingface.co/{hub_id}, then `hf auth login` or set HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(
            f"`prior.model` must be on the hub, which has no {hub_id} that you may see; check the "
            "spelling, or `hf auth login` if it is private."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ValueError(
            f"`prior.revision` must be a branch, tag or commit of {hub_id}, got {revision!r}; "
            "leave it out for the newest."
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise FileNotFoundError(
            f"`prior.model` {hub_id} is not downloaded, and the hub cannot be reached (offline, or "
            "HF_HUB_OFFLINE is set); go online, or copy its files here and set prior.model=FOLDER."
        ) from error
    except (errors.HFValidationError, errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]
        reason = " ".join(str(error).split())
        raise ValueError(
            f"`prior.model` {hub_id} could not be downloaded ({reason}); try again, or check the "
            "room on the disk."
        ) from error
    return Path(folder)
