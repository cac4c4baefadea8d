"""Binary glTF 2.0 (`.glb`) as far as animation needs it: the JSON, and numbers in its buffer.

The libraries that read glTF either leave its numbers as raw bytes (pygltflib) or do not read
skinned animation (trimesh), so these few lines save a dependency.
"""

import base64
import binascii
import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MAGIC, _JSON, _BIN = b"glTF", b"JSON", b"BIN\0"
_TYPES: Final[dict[int, np.dtype[Any]]] = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
_COUNTS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_DATA_URI: Final = ";base64,"


@dataclass(frozen=True)
class GltfFile:
    """The parts of a glTF file."""

    lists: dict[str, list[dict[str, Any]]]
    """The lists of objects at the top level of the JSON."""
    buffers: tuple[bytes, ...]

    def items(self, name: str) -> list[dict[str, Any]]:
        """One of them, empty if it is missing."""
        return self.lists.get(name, [])

    def numbers(self, accessor: int) -> NDArray[np.float64]:
        """An accessor's numbers, (count,) or (count, components); normalised integers as floats."""
        about = _at(self.items("accessors"), accessor, "accessors")
        if "sparse" in about or "bufferView" not in about:
            raise ValueError(
                f"accessor {accessor} must not be sparse; export the file without sparse accessors."
            )
        view = _at(self.items("bufferViews"), about["bufferView"], "bufferViews")
        data = _at(self.buffers, view["buffer"], "buffers")
        dtype, components = _TYPES[about["componentType"]], _COUNTS[about["type"]]
        count, size = int(about["count"]), dtype.itemsize * components
        stride = int(view.get("byteStride", size))
        start = int(view.get("byteOffset", 0)) + int(about.get("byteOffset", 0))
        end = start + (count - 1) * stride + size
        if count < 1 or start < 0 or stride < size or end > len(data):
            raise ValueError(
                f"accessor {accessor} must lie in its buffer of {len(data)} bytes, got {start} to "
                f"{end}; the file may be cut short."
            )
        raw = np.ndarray((count, components), dtype, data, start, (stride, dtype.itemsize))
        values = raw.astype(np.float64)
        if about.get("normalized"):
            values = np.maximum(values / np.iinfo(dtype).max, -1.0)
        if not np.isfinite(values).all():
            raise ValueError(f"accessor {accessor} must hold finite numbers; got nan or inf.")
        return values[:, 0] if components == 1 else values


def load_glb(path: Path) -> GltfFile:
    """The `.glb` at `path`; its data must be inside the file."""
    return parse_glb(path.read_bytes())


def parse_glb(data: bytes) -> GltfFile:
    """The same of a file's bytes."""
    if len(data) < 12 or data[:4] != _MAGIC:
        raise ValueError("a .glb file begins with glTF; export glTF as a single binary file.")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2 or length > len(data):
        raise ValueError(
            f"a .glb file has version 2 and its full length, got version {version} and {len(data)} "
            f"of {length} bytes; the file may be cut short."
        )
    chunks = _chunks(data[:length])
    if not chunks or chunks[0][0] != _JSON:
        raise ValueError("a .glb file has its JSON first; the file is damaged.")
    try:
        content = json.loads(chunks[0][1])
    except ValueError as error:
        raise ValueError(f"the JSON of a .glb file must be readable: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError("the JSON of a .glb file must be an object; the file is damaged.")
    binary = next((body for kind, body in chunks[1:] if kind == _BIN), b"")
    lists = {
        name: items
        for name, items in content.items()
        if isinstance(items, list) and all(isinstance(item, dict) for item in items)
    }
    buffers = tuple(_buffer(about, binary) for about in lists.get("buffers", []))
    return GltfFile(lists, buffers)


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, place = [], 12
    while place + 8 <= len(data):
        size, kind = struct.unpack_from("<I4s", data, place)
        if place + 8 + size > len(data):
            raise ValueError("a chunk of the .glb file ends after the file; it may be cut short.")
        chunks.append((kind, data[place + 8 : place + 8 + size]))
        place += 8 + math.ceil(size / 4) * 4
    return chunks


def _buffer(about: dict[str, Any], binary: bytes) -> bytes:
    uri = str(about.get("uri", ""))
    if not uri:
        return binary
    head, separator, text = uri.partition(_DATA_URI)
    if not head.startswith("data:") or not separator:
        raise ValueError(
            f"buffers must be inside the .glb file, got {uri[:40]!r}; export one binary file."
        )
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"a buffer's data must be base64: {error}.") from error


def _at(items: Any, index: Any, name: str) -> Any:
    if not isinstance(index, int) or not 0 <= index < len(items):
        raise ValueError(
            f"an index must be one of {len(items)} {name}, got {index}; check the file."
        )
    return items[index]
