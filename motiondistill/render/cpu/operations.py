"""The operations: arrays in and out of the kernels, and their places in torch's graph."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.render import rasterizer
from motiondistill.render.cpu import blending, interpolation, silhouettes, texturing, visibility
from motiondistill.render.cpu.kernels import array, by_image, centers
from motiondistill.render.rasterizer import Boundary, Rasterizer


class CpuRasterizer(Rasterizer):
    """Rasterises on as many threads as torch uses; the same input gives the same bits."""

    def rasterize(
        self,
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
        resolution: tuple[int, int],
    ) -> Float[Tensor, "batch height width 4"]:
        """See `Rasterizer.rasterize`."""
        if pos.device.type != "cpu":
            raise ValueError(
                f"`pos` must be on the CPU, got {pos.device}; move it, or draw with nvdiffrast."
            )
        rasterizer.check_rasterize(pos, tri, resolution)
        rast: Tensor = _Rasterize.apply(pos, tri, resolution)  # type: ignore[no-untyped-call]
        return rast

    def interpolate(
        self,
        attr: Float[Tensor, "#batch vertices attributes"],
        rast: Float[Tensor, "batch height width 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width attributes"]:
        """See `Rasterizer.interpolate`."""
        values: Tensor = _Interpolate.apply(attr, rast, tri)  # type: ignore[no-untyped-call]
        return values

    def texture(
        self,
        tex: Float[Tensor, "#batch rows columns channels"],
        uv: Float[Tensor, "batch height width 2"],
        boundary: Boundary = "wrap",
    ) -> Float[Tensor, "batch height width channels"]:
        """See `Rasterizer.texture`."""
        values: Tensor = _Texture.apply(tex, uv, boundary == "wrap")  # type: ignore[no-untyped-call]
        return values

    def antialias(
        self,
        color: Float[Tensor, "batch height width channels"],
        rast: Float[Tensor, "batch height width 4"],
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width channels"]:
        """See `Rasterizer.antialias`."""
        image: Tensor = _Antialias.apply(color, rast.detach(), pos, tri)  # type: ignore[no-untyped-call]
        return image


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pos: Tensor, tri: Tensor, resolution: tuple[int, int]) -> Tensor:
        rast = pos.new_zeros(len(pos), *resolution, 4)
        shared = (array(pos), array(tri), centers(*resolution, pos.dtype))
        by_image(visibility.draw, len(pos), rast.numpy(), *shared)
        ctx.save_for_backward(pos, tri, rast)
        return rast

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        pos, tri, rast = ctx.saved_tensors
        pos_grad = torch.zeros_like(pos)
        arrays = [array(x) for x in (grad, rast, pos, tri)]
        places = centers(*rast.shape[1:3], pos.dtype)
        by_image(visibility.draw_backward, len(pos), pos_grad.numpy(), *arrays, places)
        return pos_grad, None, None


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, attr: Tensor, rast: Tensor, tri: Tensor) -> Tensor:
        values = attr.new_zeros(*rast.shape[:3], attr.shape[2])
        arrays = [array(x) for x in (attr, rast, tri)]
        by_image(interpolation.mix, len(rast), values.numpy(), *arrays)
        ctx.save_for_backward(attr, rast, tri)
        return values

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        attr, rast, tri = ctx.saved_tensors
        attr_grad, rast_grad = attr.new_zeros(len(rast), *attr.shape[1:]), torch.zeros_like(rast)
        grads = (attr_grad.numpy(), rast_grad.numpy())
        arrays = [array(x) for x in (grad, attr, rast, tri)]
        by_image(interpolation.mix_backward, len(rast), grads, *arrays)
        return attr_grad.sum_to_size(attr.shape), rast_grad, None


class _Texture(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tex: Tensor, uv: Tensor, wrap: bool) -> Tensor:
        values = tex.new_empty(*uv.shape[:3], tex.shape[3])
        by_image(texturing.sample, len(uv), values.numpy(), array(tex), array(uv), wrap)
        ctx.save_for_backward(tex, uv)
        ctx.wrap = wrap
        return values

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None]:
        tex, uv = ctx.saved_tensors
        tex_grad, uv_grad = None, torch.zeros(uv.shape, dtype=uv.dtype)
        arrays = [array(x) for x in (grad, tex, uv)]
        by_image(texturing.places_backward, len(uv), uv_grad.numpy(), *arrays, ctx.wrap)
        if ctx.needs_input_grad[0]:
            tex_grad = torch.zeros(tex.shape, dtype=tex.dtype)
            places = (tex_grad.numpy(), arrays[0], arrays[2], ctx.wrap)
            if len(tex) > 1:
                by_image(texturing.texels_backward, len(uv), *places)
            else:
                texturing.texels_backward(0, len(uv), *places)
        return tex_grad, uv_grad, None


class _Antialias(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor) -> Tensor:
        batch, height, width, channels = color.shape
        mesh = (array(pos), array(tri), array(rasterizer.twins(tri)))
        places = centers(height, width, pos.dtype)
        crossings = np.concatenate(by_image(silhouettes.find, batch, array(rast), *mesh, places))
        image = color.detach().clone(memory_format=torch.contiguous_format)
        flat = array(color).reshape(-1, channels), crossings, mesh[0].reshape(-1, 4)
        blending.blend(image.view(-1, channels).numpy(), *flat, places)
        ctx.save_for_backward(color, pos)
        ctx.crossings = crossings
        return image

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, Tensor, None]:
        color, pos = ctx.saved_tensors
        color_grad = grad.clone(memory_format=torch.contiguous_format)
        pos_grad = torch.zeros(pos.shape, dtype=pos.dtype)
        grads = color_grad.view(-1, color.shape[3]).numpy(), pos_grad.view(-1, 4).numpy()
        flat = [array(x).reshape(-1, x.shape[-1]) for x in (grad, color)]
        places = centers(*color.shape[1:3], pos.dtype)
        vertices = array(pos).reshape(-1, 4)
        blending.blend_backward(*grads, *flat, ctx.crossings, vertices, places)
        return color_grad, None, pos_grad, None
