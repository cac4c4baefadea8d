"""Trained networks as a half-precision pipeline folder that `load_prior` reads."""

import copy
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from torch import nn

from embedded_training.denoising import Denoising
from motiondistill.priors import VideoFormat
from motiondistill.priors.loading import write_native

MAX_FILE_BYTES: Final = 15_000_000


@dataclass(frozen=True)
class Layout:
    """What a pipeline folder holds beside the trained text encoder and denoiser."""

    pipeline: Any
    """Its class."""
    denoiser: str
    """The denoiser's name in it."""
    others: Mapping[str, Any]
    """What else the class asks for: scheduler, tokenizer."""
    codec: nn.Module
    native: VideoFormat
    text_length: int
    max_bytes: int
    """Of all networks together, in half precision."""

    def parts(self, module: Denoising) -> dict[str, nn.Module]:
        """All networks by their names in the pipeline."""
        return {"vae": self.codec, "text_encoder": module.text, self.denoiser: module.denoiser}

    def check(self, module: Denoising) -> None:
        """Nothing, or a ValueError for networks that weigh more than may be shipped."""
        sizes = {
            name: 2 * sum(tensor.numel() for tensor in part.state_dict().values())
            for name, part in self.parts(module).items()
        }
        name, most = max(sizes.items(), key=lambda item: item[1])
        if most > MAX_FILE_BYTES:
            raise ValueError(
                f"`{name}` must take at most {MAX_FILE_BYTES} bytes, got {most}; lessen its width."
            )
        if sum(sizes.values()) > self.max_bytes:
            raise ValueError(
                f"the networks must take at most {self.max_bytes} bytes together, got "
                f"{sum(sizes.values())}; lessen their width."
            )

    def write(self, folder: Path, module: Denoising) -> None:
        """Writes the folder; that of an earlier training step is replaced when all is there.

        The networks stay as they are.
        """
        parts = {
            name: copy.deepcopy(part).cpu().half().eval()
            for name, part in self.parts(module).items()
        }
        fresh = folder.with_name(f".{folder.name}")
        shutil.rmtree(fresh, ignore_errors=True)
        self.pipeline(**parts, **self.others).save_pretrained(fresh)
        write_native(fresh, self.native, self.text_length)
        for path in fresh.glob("*/config.json"):
            _forget_origin(path)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)


def _forget_origin(path: Path) -> None:
    """Takes the folder out of which a network was trained on from its configuration."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
