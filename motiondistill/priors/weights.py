"""One part of a pipeline from its folder: a network with exactly its weights, or a tokenizer."""

import contextlib
import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from safetensors import SafetensorError, safe_open

from motiondistill.priors.config_values import check_statistics, check_value, check_values
from motiondistill.priors.family import Family
from motiondistill.priors.pickled import as_safetensors
from motiondistill.priors.weight_files import weight_files

_VOCABULARIES: Final = (
    ("tokenizer.json",),
    ("vocab.json", "merges.txt"),
    ("spiece.model",),
    ("tokenizer.model",),
)
"""The files that hold a vocabulary, in each form that a library writes."""

_FEWEST_PIECES: Final = 26
"""No tokenizer spells words with fewer pieces; without its files a library makes do with one."""

_INDEX_VALUES: Final = {
    "boundary_ratio": float,
    "expand_timesteps": bool,
    "force_zeros_for_empty_prompt": bool,
}
"""What is read of `model_index.json` besides the parts."""

_REMEDIES: Final = {
    "UNet3DVideoCrafterConditionModel": (
        "this is VideoCrafter2 with an input for the frame rate; run `motiondistill convert "
        "videocrafter2` on the pipeline's folder"
    )
}


@final
@dataclass(frozen=True)
class Part:
    """A folder of a pipeline and the class, `library.Class`, that reads it."""

    folder: Path
    class_path: str

    @property
    def is_tokenizer(self) -> bool:
        """Whether it holds no network."""
        return "Tokenizer" in self.class_path

    @property
    def kind(self) -> Any:
        """The class; importing its library takes seconds."""
        library, name = self.class_path.split(".")
        return getattr(importlib.import_module(library), name)

    def check(self) -> None:
        """See `check_parts`."""
        if self.is_tokenizer:
            _check_vocabulary(self.folder)
            return
        config = read_json(self.folder / "config.json", self.folder.parent)
        stored = config.get("_class_name")
        if stored is not None and f"diffusers.{stored}" != self.class_path:
            raise ValueError(
                f"`{self.folder}` must hold {self.class_path} for this pipeline, got {stored}; "
                f"{_REMEDIES.get(str(stored), 'use the folder as it was released')}."
            )
        self._check_values(config)
        _check_weights(self.folder)

    def _check_values(self, config: dict[str, Any]) -> None:
        kind, path = self.kind, self.folder / "config.json"
        if hasattr(kind, "config_class"):
            check_values(path, config, kind.config_class, nulls=False)
        else:
            check_values(path, config, kind)
            check_statistics(path, config)


def parts_of(folder: Path, family: Family) -> dict[str, Part]:
    """The parts that the family reads from a folder, without the optional ones that it lacks."""
    index = read_json(folder / "model_index.json", folder)
    # Pipelines record an optional part that they were built without as [null, null].
    absent = {name for name in family.optional if index.get(name) in (None, [None, None])}
    return {
        name: Part(folder / name, class_path)
        for name, class_path in family.classes.items()
        if name not in absent
    }


def check_parts(folder: Path, family: Family) -> None:
    """Nothing, or an error for what can be seen of a pipeline folder without reading weights.

    Raises FileNotFoundError for what is missing, and ValueError for what is damaged or of another
    class.
    """
    index = read_json(folder / "model_index.json", folder)
    for name, kind in _INDEX_VALUES.items():
        if name in index:
            check_value(folder / "model_index.json", name, index[name], kind, lists=False)
    read_scheduler(folder)
    for part in parts_of(folder, family).values():
        part.check()


def read_scheduler(folder: Path) -> dict[str, Any]:
    """The configuration of a pipeline's scheduler, with values of the kinds that its class takes.

    Raises FileNotFoundError and ValueError. Whether the class will do, the schedule knows.
    """
    import diffusers

    path = folder / "scheduler" / "scheduler_config.json"
    config = read_json(path, folder)
    check_value(path, "_class_name", config.get("_class_name"), str, lists=False)
    kind: Any = getattr(diffusers, config.get("_class_name") or "", None)
    if kind is not None:
        check_values(path, config, kind)
    return config


def load_tokenizer(part: Part) -> Any:
    """The tokenizer; code that a folder may bring along is not run.

    Raises ValueError for a damaged one, also where the library makes do with no vocabulary.
    """
    kind = part.kind
    try:
        tokenizer = kind.from_pretrained(part.folder, local_files_only=True)
    except (OSError, ValueError, ImportError, LookupError, TypeError) as error:
        raise ValueError(
            f"`{part.folder}` must hold a {kind.__name__}; copy it anew. "
            f"The library says: {_words(error)}"
        ) from error
    special = {*tokenizer.added_tokens_encoder, *tokenizer.all_special_tokens}
    pieces = len(set(tokenizer.get_vocab()) - special)
    if pieces < _FEWEST_PIECES:
        raise ValueError(
            f"`{part.folder}` must hold a {kind.__name__} with a vocabulary, got {pieces} pieces "
            "besides special tokens, so that all prompts would mean the same; copy it anew."
        )
    return tokenizer


def load_network(
    part: Part,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    *,
    allow_pickle: bool = False,
) -> Any:
    """The frozen network, from `.safetensors` or else `.bin`; code in a folder is not run.

    Raises ValueError for weights that do not fit the configuration, or that are more than tensors.
    """
    if weight_files(part.folder, ".safetensors"):
        return _load(part, part.folder, device, dtype)
    with as_safetensors(part.folder, allow_pickle=allow_pickle) as folder:
        return _load(part, folder, device, dtype)


@contextlib.contextmanager
def as_misfit(part: Part) -> Iterator[None]:
    """Says of what the library raises while it makes a network that the part is damaged."""
    try:
        yield
    # What a wrong value in a configuration comes to deep inside of a network's constructor.
    except (
        OSError,
        ValueError,
        RuntimeError,
        TypeError,
        AttributeError,
        LookupError,
        ArithmeticError,
    ) as error:
        raise ValueError(
            f"`{part.folder}` must hold a {part.kind.__name__} whose weights fit its config.json; "
            f"copy the folder anew. The library says: {_words(error)}"
        ) from error


def read_json(path: Path, folder: Path) -> dict[str, Any]:
    """The JSON object in a file of the pipeline in `folder`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"`{path}` is missing; `{folder}` must be a complete pipeline folder."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"`{path}` must be JSON ({error}); copy it anew.") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"`{path}` must be a JSON object, got {type(content).__name__}; copy it anew."
        )
    return content


def _load(part: Part, folder: Path, device: torch.device | str, dtype: torch.dtype) -> Any:
    import transformers

    # A bar per text encoder says nothing to someone who loads a small prior.
    progress: Any = transformers.utils.logging
    progress.disable_progress_bar()
    kind = part.kind
    with as_misfit(part):
        model, report = kind.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
        )
    _check_report(part.folder, report)
    return model.to(device).eval().requires_grad_(False)


def _check_report(folder: Path, report: Mapping[str, Any]) -> None:
    # The libraries fill what is missing with random numbers and only log it.
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = sorted(map(str, report.get(problem) or ()))
        if names:
            raise ValueError(
                f"`{folder}` must hold exactly the weights its config.json describes, but has "
                f"{len(names)} {problem.replace('_', ' ')} (first: {names[0]}); "
                "copy the folder anew."
            )


def _check_weights(folder: Path) -> None:
    paths = weight_files(folder, ".safetensors")
    if not paths and not weight_files(folder, ".bin"):
        raise FileNotFoundError(
            f"`{folder}` must hold weights as .safetensors or .bin, found none; "
            "download them or copy the folder anew."
        )
    for path in folder.glob("*model.safetensors.index.json"):
        shards = set(read_json(path, folder.parent).get("weight_map", {}).values())
        missing = sorted(shards - {found.name for found in paths})
        if missing:
            raise FileNotFoundError(
                f"`{folder}` must hold every file that {path.name} lists, but has no "
                f"{missing[0]}; download it or copy the folder anew."
            )
    for path in paths:
        try:
            with safe_open(path, framework="pt") as weights:
                weights.keys()
        except (SafetensorError, OSError) as error:
            raise ValueError(
                f"`{path}` must be a complete safetensors file ({error}); copy it anew."
            ) from error


def _check_vocabulary(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`{folder}` must hold the tokenizer, but is missing; copy the folder anew."
        )
    if not any(all((folder / name).is_file() for name in names) for names in _VOCABULARIES):
        forms = ", or ".join(" with ".join(names) for names in _VOCABULARIES)
        raise FileNotFoundError(
            f"`{folder}` must hold the tokenizer's vocabulary ({forms}), but does not; "
            "download it or copy the folder anew."
        )


def _words(error: BaseException) -> str:
    """The error's own words, with its kind: alone, they may be a key, a number or nothing."""
    return f"{type(error).__name__}: {error}"
