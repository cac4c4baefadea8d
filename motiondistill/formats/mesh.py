"""The body in one frame as OBJ or PLY, for programs that know meshes only; metres, +Y up."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.atomic import write_atomically


def write_obj(
    path: Path,
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "triangles 3"],
    uv: Float[Tensor, "texcoords 2"] | None = None,
    uv_faces: Int[Tensor, "triangles 3"] | None = None,
) -> None:
    """A Wavefront file, whole or not at all, with texture coordinates where they are given."""
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices.tolist()]
    corners = (faces + 1).tolist()  # which counts from one
    if uv is None or uv_faces is None:
        lines += [f"f {a} {b} {c}" for a, b, c in corners]
    else:
        lines += [f"vt {u:.6f} {v:.6f}" for u, v in uv.tolist()]
        lines += [
            "f " + " ".join(f"{corner}/{texture}" for corner, texture in zip(row, own, strict=True))
            for row, own in zip(corners, (uv_faces + 1).tolist(), strict=True)
        ]
    text = "\n".join(lines) + "\n"
    write_atomically(path, lambda part: part.write_text(text, encoding="ascii"))


def write_ply(
    path: Path, vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "triangles 3"]
) -> None:
    """A binary, little-endian PLY file, whole or not at all."""
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertices)}",
        *(f"property float {axis}" for axis in "xyz"),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    rows = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, faces.numpy()
    data = "\n".join(header).encode() + b"\n"
    data += vertices.numpy().astype("<f4").tobytes() + rows.tobytes()
    write_atomically(path, lambda part: part.write_bytes(data))
