"""Which files of a part's folder the libraries load."""

import re
from pathlib import Path
from typing import Final

_LOADED: Final = re.compile(r"(diffusion_pytorch_model|pytorch_model|model)(-\d+-of-\d+)?")


def weight_files(folder: Path, suffix: str) -> list[Path]:
    """The weights with this suffix, whole or in shards.

    Variants such as `model.fp16.safetensors`, and files for other programs, may lie beside them.
    """
    return sorted(path for path in folder.glob(f"*{suffix}") if _LOADED.fullmatch(path.stem))
