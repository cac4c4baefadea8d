"""The quick rasteriser for CPUs: one numba kernel for every operation, and one for its gradient."""

from motiondistill.render.cpu.operations import CpuRasterizer as CpuRasterizer
