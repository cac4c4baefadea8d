"""Embeddings that are computed once: remembered in memory, and on disk where a folder is given."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from jaxtyping import Shaped
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from motiondistill.atomic import write_atomically
from motiondistill.priors.base import Conditioning, TextEncoder, check_prompts

logger = logging.getLogger(__name__)

_DIGEST: Final = "digest"


@final
@dataclass(frozen=True)
class EmbeddingFiles:
    """A folder of embeddings, one file for each prompt; what is damaged counts as absent.

    `identity` is all that embeddings depend on besides the prompt: model, revision, text length,
    precision. File names are hashes, so that a prompt, whatever it is, never becomes a path.
    """

    folder: Path
    identity: tuple[str, ...]

    def path(self, prompt: str) -> Path:
        """Where the prompt's embeddings are kept."""
        key = json.dumps([*self.identity, prompt])
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.safetensors"

    def read(self, prompt: str) -> Conditioning | None:
        """The stored embeddings [1 ...]; None if there are none, or no whole ones."""
        path = self.path(prompt)
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}
                expected = (file.metadata() or {}).get(_DIGEST)
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError) as error:
            logger.warning("%s is damaged and made anew (%s)", path, error)
            return None
        if not tensors or _digest(tensors) != expected:
            logger.warning("%s is damaged and made anew", path)
            return None
        return Conditioning(tensors)

    def write(self, prompt: str, conditioning: Conditioning) -> None:
        """Stores the embeddings [1 ...], whole or not at all; a full disk is no reason to stop."""
        tensors = {name: tensor.contiguous() for name, tensor in conditioning.tensors.items()}
        path = self.path(prompt)
        metadata = {_DIGEST: _digest(tensors)}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, lambda part: save_file(tensors, part, metadata))
        except (SafetensorError, OSError) as error:
            logger.warning("embeddings are not kept in %s (%s)", self.folder, error)


@final
class CachedText(TextEncoder):
    """A text encoder that embeds every prompt once, one at a time, and then lets go of its memory.

    One at a time, because batched matrix products round differently: the same prompt must give the
    same bits whatever its company. Embeddings wait on the CPU; a prior's networks fetch them.
    """

    def __init__(
        self,
        text: TextEncoder,
        *,
        files: EmbeddingFiles | None = None,
        release: Callable[[], object] = lambda: None,
    ) -> None:
        self.text = text
        self._files = files
        self._release = release
        self._known: dict[str, Conditioning] = {}

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """See `Prior.embed`."""
        check_prompts(prompts)
        missing = [prompt for prompt in dict.fromkeys(prompts) if not self._recall(prompt)]
        try:
            for prompt in missing:
                self._compute(prompt)
        finally:
            if missing:
                self._release()
        return Conditioning.cat([self._known[prompt] for prompt in prompts])

    def _recall(self, prompt: str) -> bool:
        if prompt not in self._known and self._files is not None:
            stored = self._files.read(prompt)
            if stored is not None:
                self._known[prompt] = stored
        return prompt in self._known

    @torch.no_grad()
    def _compute(self, prompt: str) -> None:
        row = self.text.embed([prompt])
        row = Conditioning({name: tensor.cpu() for name, tensor in row.tensors.items()})
        if self._files is not None:
            self._files.write(prompt, row)
        self._known[prompt] = row


def cache_folder() -> Path:
    """The folder for what can be computed again: `$MOTIONDISTILL_CACHE`, or the user's own."""
    named = os.environ.get("MOTIONDISTILL_CACHE")
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(users) / "motiondistill"


def fingerprint(paths: Sequence[Path]) -> str:
    """A hash that changes when a file does, alone or in a folder: names, sizes, times of change."""
    every = {inner for path in paths for inner in (path, *path.rglob("*"))}
    found = sorted(path for path in every if path.is_file())
    entries = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _digest(tensors: dict[str, Shaped[Tensor, "..."]]) -> str:
    """A hash of names, types, shapes and every byte."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
