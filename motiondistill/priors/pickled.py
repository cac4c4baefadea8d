"""Weights in PyTorch's own files, `.bin` and `.ckpt`: pickles, which may hold programs."""

import contextlib
import json
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from motiondistill.priors.weight_files import weight_files

_PICKLED_STEM: Final = {"pytorch_model": "model"}  # what transformers calls the same in safetensors


def read_pickled(path: Path, *, allow_pickle: bool = False) -> dict[str, Any]:
    """The dictionary in a PyTorch file, on the CPU.

    Only tensors and plain containers are read, so that the file cannot run anything, unless
    `allow_pickle` says that its maker is trusted. Raises ValueError for anything else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=not allow_pickle)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"`{path}` must hold tensors only, but holds Python objects, which may run any "
            "program when they are read; get the weights as .safetensors, or, if you trust who "
            "made this file, set prior.allow_pickle=true."
        ) from error
    except (OSError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ValueError(
            f"`{path}` must be a complete PyTorch file ({error}); copy it anew."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(
            f"`{path}` must hold a dictionary of tensors, got {type(content).__name__}; "
            "use the weights that the pipeline was released with."
        )
    return content


@contextlib.contextmanager
def as_safetensors(folder: Path, *, allow_pickle: bool) -> Iterator[Path]:
    """A temporary copy of a part's folder, with its `.bin` weights as `.safetensors`.

    The libraries then load it as any other folder, and never read a pickle themselves.
    """
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        shutil.copy(folder / "config.json", copy)
        for path in weight_files(folder, ".bin"):
            tensors = read_pickled(path, allow_pickle=allow_pickle)
            save_file(_unshared(path, tensors), copy / _renamed(path.name), {"format": "pt"})
        for path in folder.glob("*.bin.index.json"):
            index = json.loads(path.read_text(encoding="utf-8"))
            index["weight_map"] = {k: _renamed(v) for k, v in index["weight_map"].items()}
            (copy / _renamed(path.name)).write_text(json.dumps(index), encoding="utf-8")
        yield copy


def _unshared(path: Path, tensors: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors with memory of their own, which the format demands."""
    for key, value in tensors.items():
        if not isinstance(value, Tensor):
            raise ValueError(
                f"`{path}` must hold tensors only, but {key!r} is a {type(value).__name__}; "
                "use the weights that the pipeline was released with."
            )
    return {key: value.detach().clone().contiguous() for key, value in tensors.items()}


def _renamed(name: str) -> str:
    """The file's name in safetensors."""
    for pickled, safe in _PICKLED_STEM.items():
        name = name.replace(pickled, safe) if name.startswith(pickled) else name
    return name.replace(".bin", ".safetensors")
