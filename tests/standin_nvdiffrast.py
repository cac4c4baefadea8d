"""Stands in for `nvdiffrast.torch` where there is no GPU.

The signatures and the demands on arguments are those of the library (version 0.4.0), the results
the reference's. Where the library's derivatives are less than the reference's, so are these: its
depth carries none.
"""

from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from motiondistill.render.reference import ReferenceRasterizer

_REFERENCE = ReferenceRasterizer()


class RasterizeCudaContext:
    def __init__(self, device: Any = None) -> None:
        self.device = device
        self.active_depth_peeler = None


def rasterize(
    glctx: Any, pos: Any, tri: Any, resolution: Any, ranges: Any = None, grad_db: Any = True
) -> Any:
    assert isinstance(glctx, RasterizeCudaContext)
    assert grad_db is True or grad_db is False
    assert ranges is None
    _check_mesh(pos, tri)
    assert pos.ndim == 3 and pos.shape[2] == 4
    height, width = tuple(resolution)
    rast = _REFERENCE.rasterize(pos, tri, (height, width))
    return torch.cat([rast[..., :2], rast[..., 2:].detach()], -1), torch.zeros_like(rast)


def interpolate(attr: Any, rast: Any, tri: Any, rast_db: Any = None, diff_attrs: Any = None) -> Any:
    assert rast_db is None and diff_attrs is None
    _check_mesh(attr, tri)
    _check_floats(rast)
    assert attr.shape[0] in (1, rast.shape[0]) and attr.shape[2] > 0
    values = _REFERENCE.interpolate(attr, rast, tri)
    return values, values.new_empty(*values.shape[:3], 0)


def texture(
    tex: Any,
    uv: Any,
    uv_da: Any = None,
    mip_level_bias: Any = None,
    mip: Any = None,
    filter_mode: Any = "auto",
    boundary_mode: Any = "wrap",
    max_mip_level: Any = None,
) -> Any:
    assert uv_da is None and mip_level_bias is None and mip is None and max_mip_level is None
    assert filter_mode in ("auto", "linear")
    assert boundary_mode in ("wrap", "clamp")
    _check_floats(tex)
    _check_floats(uv)
    assert tex.ndim == 4 and tex.shape[0] in (1, uv.shape[0]) and uv.shape[3] == 2
    return _REFERENCE.texture(tex, uv, boundary_mode)


def modules() -> dict[str, ModuleType]:
    """What `import nvdiffrast.torch` would leave behind in `sys.modules`."""
    package, torch_module = ModuleType("nvdiffrast"), ModuleType("nvdiffrast.torch")
    package.__spec__ = ModuleSpec("nvdiffrast", None)
    for item in (RasterizeCudaContext, rasterize, interpolate, texture):
        setattr(torch_module, item.__name__, item)
    return {"nvdiffrast": package, "nvdiffrast.torch": torch_module}


def _check_mesh(points: Tensor, tri: Tensor) -> None:
    _check_floats(points)
    assert tri.dtype == torch.int32 and tri.is_contiguous()
    assert tri.ndim == 2 and tri.shape[0] > 0 and tri.shape[1] == 3


def _check_floats(tensor: Tensor) -> None:
    assert isinstance(tensor, Tensor)
    assert tensor.dtype == torch.float32 and tensor.is_contiguous()
    assert all(side > 0 for side in tensor.shape)
