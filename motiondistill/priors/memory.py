"""Whether the weights fit the memory, told before they are read."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open

from motiondistill.priors.placement import Placement
from motiondistill.priors.weight_files import weight_files
from motiondistill.priors.weights import Part

_MEMINFO: Final = Path("/proc/meminfo")
GIB: Final = 2**30


def check_room(parts: Mapping[str, Part], placement: Placement) -> None:
    """Nothing, or a ValueError where the parts' weights are more than a device's free memory.

    Text encoders are to be asked for when one is needed: prompts may have been embedded before.
    """
    needed: dict[torch.device, dict[str, int]] = {}
    for name, part in parts.items():
        if not part.is_tokenizer:
            place, dtype = placement.of(name)
            sizes = needed.setdefault(torch.device(place), {})
            sizes[name] = weight_bytes(part.folder, dtype)
    for device, sizes in needed.items():
        free, size = free_bytes(device), sum(sizes.values())
        if free is not None and size > free:
            raise ValueError(
                f"the weights of {' and '.join(sizes)} must fit the free memory of {device}, "
                f"{free / GIB:.1f} GiB, but need {size / GIB:.1f} GiB; set prior.dtype=bfloat16, "
                "choose another prior.device or prior.text_device, or a smaller model."
            )


def weight_bytes(folder: Path, dtype: torch.dtype) -> int:
    """What a part's weights take in memory, in bytes; nothing but the files' heads is read."""
    stored = weight_files(folder, ".safetensors")
    if not stored:
        # A pickle tells its numbers only when it is read; most hold single precision.
        pickled = [path.stat().st_size for path in weight_files(folder, ".bin")]
        return sum(pickled) * dtype.itemsize // torch.float32.itemsize
    numbers = 0
    for path in stored:
        with safe_open(path, framework="pt") as file:
            numbers += sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())
    return numbers * dtype.itemsize


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had on the device, in bytes; None where nobody tells."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    if device.type != "cpu" or not _MEMINFO.is_file():
        return None
    fields = dict(line.split(":") for line in _MEMINFO.read_text(encoding="ascii").splitlines())
    kibibytes = [int(fields.get(name, "0").split()[0]) for name in ("MemAvailable", "SwapFree")]
    return sum(kibibytes) * 1024
