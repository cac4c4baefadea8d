"""The formats that `motiondistill export` writes, by name; nothing here takes time to import."""

from typing import Literal

ExportFormat = Literal["bvh", "glb", "amass", "smplx", "humanml", "272", "joints", "obj", "ply"]
