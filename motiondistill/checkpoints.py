"""Checkpoints: nested dicts, lists, tuples, plain values and tensors as one safetensors file.

The tensors are the file's tensors, and the nesting around them is JSON in its header, so that one
rename makes both visible at once. No pickle: a checkpoint cannot run code. A checksum over all of
it tells a damaged file.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from motiondistill.atomic import write_atomically

Tree = Any
"""Dicts, lists and tuples, nested at will, around tensors, numbers, strings, booleans and None."""

CHECKPOINTS: Final = "checkpoints"
"""The folder of them in that of a run."""

_VERSION: Final = 1
_PATTERN: Final = "step_*.safetensors"

_log = logging.getLogger(__name__)


def save_checkpoint(path: Path, state: Tree) -> None:
    """One file that holds the state exactly, bit for bit."""
    tensors: dict[str, Tensor] = {}
    structure = json.dumps({"version": _VERSION, "state": _encode(state, tensors)})
    header = {"structure": structure, "sha256": _digest(structure, tensors)}
    write_atomically(path, lambda part: save_file(tensors, part, header))


def load_checkpoint(path: Path) -> Tree:
    """The state that `save_checkpoint` wrote.

    Raises FileNotFoundError for a missing file and ValueError for a damaged or foreign one.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; name a file that a run has written.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"checkpoint {path} is damaged ({error}); delete it.") from error
    structure = header.get("structure", "")
    if header.get("sha256") != _digest(structure, tensors):
        raise ValueError(f"checkpoint {path} is damaged (its checksum differs); delete it.")
    content = json.loads(structure)
    if content["version"] != _VERSION:
        raise ValueError(
            f"checkpoint {path} must be of version {_VERSION}, got {content['version']}; "
            "resume with the release that wrote it."
        )
    return _decode(content["state"], tensors)


def save_step(folder: Path, step: int, state: Tree, keep: int = 2) -> None:
    """The checkpoint of one step in a run's folder of checkpoints, which keeps the newest `keep`.

    One at least; with two, a damaged one leaves another to go back to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder / f"step_{step:08d}.safetensors", state)
    for old in sorted(folder.glob(_PATTERN))[:-keep]:
        old.unlink()


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint of a run, whole or not; 0 where there is none."""
    names = sorted(path.stem for path in folder.glob(_PATTERN))
    return int(names[-1].removeprefix("step_")) if names else 0


def load_newest(folder: Path) -> Tree:
    """The newest checkpoint of a run that is whole.

    A damaged one is reported in the log, and the one before it taken. Raises FileNotFoundError
    where there is none, and ValueError where none is whole.
    """
    paths = sorted(folder.glob(_PATTERN), reverse=True)
    if not paths:
        raise FileNotFoundError(
            f"no checkpoint in {folder}: the run ended before its first; "
            "delete its folder and start anew."
        )
    for path in paths:
        try:
            return load_checkpoint(path)
        except ValueError as error:
            if path is paths[-1]:
                raise
            _log.warning("%s Going back to the one before it.", error)
    raise AssertionError("the last of the paths either returned or raised")


def _encode(node: Tree, tensors: dict[str, Tensor]) -> Any:
    """JSON for the nesting; tensors are put aside and named by their order."""
    match node:
        case Tensor():
            name = str(len(tensors))
            # A copy of its own: safetensors refuses tensors that share memory.
            tensors[name] = node.detach().cpu().clone(memory_format=torch.contiguous_format)
            return {"tensor": name}
        case Mapping():
            return {"dict": [[key, _encode(value, tensors)] for key, value in node.items()]}
        case tuple():
            return {"tuple": [_encode(value, tensors) for value in node]}
        case list():
            return [_encode(value, tensors) for value in node]
        case bool() | int() | float() | str() | None:
            return node
        case _:
            raise TypeError(f"a checkpoint cannot hold {type(node).__name__}: {node!r}")


def _decode(node: Any, tensors: Mapping[str, Tensor]) -> Tree:
    match node:
        case {"tensor": name}:
            return tensors[name]
        case {"dict": items}:
            return {key: _decode(value, tensors) for key, value in items}
        case {"tuple": values}:
            return tuple(_decode(value, tensors) for value in values)
        case list():
            return [_decode(value, tensors) for value in node]
        case _:
            return node


def _digest(structure: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(structure.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
