"""Rasterisers, and the scenes drawn with them.

`render.cpu.CpuRasterizer` is not re-exported: its module takes half a second to import numba.
"""

from motiondistill.render.rasterizer import Rasterizer as Rasterizer
from motiondistill.render.reference import ReferenceRasterizer as ReferenceRasterizer
