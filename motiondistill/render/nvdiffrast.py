"""nvdiffrast's CUDA kernels behind the same operations (Laine et al. 2020).

The library is optional: it is not on PyPI, and licensed for non-commercial use. It works in single
precision on its device; tensors from elsewhere travel there and back.

Two things differ from the library's own operations, so that all rasterisers give the same images
and gradients. Its depth carries no gradient: here z and w are interpolated, and divided. Its
antialiasing looks only at the edges of the triangle at a pixel's centre, and misses silhouettes
where triangles are the size of a pixel: here `render.silhouettes` does it, on the same device.
"""

import importlib.util
from types import ModuleType

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.render import rasterizer, silhouettes
from motiondistill.render.rasterizer import Boundary, Rasterizer

INSTALL = "pip install git+https://github.com/NVlabs/nvdiffrast --no-build-isolation"


def available() -> bool:
    """Whether nvdiffrast is installed and has a CUDA device to work on."""
    return torch.cuda.is_available() and importlib.util.find_spec("nvdiffrast") is not None


class NvdiffrastRasterizer(Rasterizer):
    """Rasterises on a CUDA device. Sums of gradients there have no fixed order."""

    def __init__(self, device: str | torch.device = "cuda") -> None:
        """Set up nvdiffrast on `device`.

        Raises ImportError if it is not installed, or something that it imports is not, and
        ValueError if there is no CUDA device.
        """
        self._library = _library()
        self._device = torch.device(device)
        self._context = self._library.RasterizeCudaContext(device=self._device)

    def rasterize(
        self,
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
        resolution: tuple[int, int],
    ) -> Float[Tensor, "batch height width 4"]:
        """See `Rasterizer.rasterize`. Vertices are rounded to 1/16 of a pixel to find coverage."""
        rasterizer.check_rasterize(pos, tri, resolution)
        if not len(tri):
            return pos.new_zeros(len(pos), *resolution, 4)  # nvdiffrast refuses empty meshes
        points, faces = self._floats(pos), self._indices(tri)
        rast, _ = self._library.rasterize(self._context, points, faces, resolution, grad_db=False)
        deep, _ = self._library.interpolate(points[..., 2:].contiguous(), rast, faces)
        seen = rast[..., 3:] > 0
        z, w = torch.where(seen, deep, torch.ones_like(deep)).tensor_split(2, dim=-1)
        depth = torch.where(seen, z / w, torch.zeros_like(z))
        return torch.cat([rast[..., :2], depth, rast[..., 3:]], -1).to(pos)

    def interpolate(
        self,
        attr: Float[Tensor, "#batch vertices attributes"],
        rast: Float[Tensor, "batch height width 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width attributes"]:
        """See `Rasterizer.interpolate`."""
        if not len(tri):
            return attr.new_zeros(*rast.shape[:3], attr.shape[2])
        values, _ = self._library.interpolate(
            self._floats(attr), self._floats(rast), self._indices(tri)
        )
        result: Tensor = values.to(attr)
        return result

    def texture(
        self,
        tex: Float[Tensor, "#batch rows columns channels"],
        uv: Float[Tensor, "batch height width 2"],
        boundary: Boundary = "wrap",
    ) -> Float[Tensor, "batch height width channels"]:
        """See `Rasterizer.texture`."""
        values: Tensor = self._library.texture(
            self._floats(tex), self._floats(uv), filter_mode="linear", boundary_mode=boundary
        )
        return values.to(tex)

    def antialias(
        self,
        color: Float[Tensor, "batch height width channels"],
        rast: Float[Tensor, "batch height width 4"],
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width channels"]:
        """See `Rasterizer.antialias`."""
        seen, points = self._floats(rast.detach()), self._floats(pos)
        found = silhouettes.find(seen, points.detach().double(), self._indices(tri).long())
        return silhouettes.blend(self._floats(color), points, found).to(color)

    def _floats(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._device, torch.float32).contiguous()

    def _indices(self, tri: Tensor) -> Tensor:
        return tri.to(self._device, torch.int32).contiguous()


def _library() -> ModuleType:
    try:
        library = importlib.import_module("nvdiffrast.torch")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "nvdiffrast":
            raise ImportError(
                f"`render.rasterizer` must not be nvdiffrast where {error.name} is not installed, "
                "which nvdiffrast needs; install that or choose cpu."
            ) from error
        raise ImportError(
            f"`render.rasterizer` must not be nvdiffrast where that is not installed; run "
            f"`{INSTALL}` (NVIDIA Source Code License: for non-commercial use) or choose cpu."
        ) from error
    if not torch.cuda.is_available():
        raise ValueError(
            "`render.rasterizer` must not be nvdiffrast where torch finds no CUDA device; choose "
            f"cpu, or install PyTorch for CUDA and then nvdiffrast (`{INSTALL}`)."
        )
    return library
