"""Meshes around a camera, and how tests of rasterisers draw and compare them."""

import torch
from torch import Tensor

from motiondistill.render.rasterizer import Rasterizer


def octahedron() -> tuple[Tensor, Tensor]:
    """A closed mesh of eight triangles."""
    eye = torch.eye(3, dtype=torch.float64)
    faces = [[x, y, z] for x in (0, 3) for y in (1, 4) for z in (2, 5)]
    return torch.cat([eye, -eye]), torch.tensor(faces)


def project(points: Tensor, near: float = 0.1, far: float = 10.0) -> Tensor:
    """Clip coordinates seen by a camera in the origin that looks along -z, 90 degrees wide."""
    x, y, z = points.unbind(-1)
    depth = ((far + near) * -z - 2 * far * near) / (far - near)
    return torch.stack([x, y, depth, -z], -1)


def random_scene(seed: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Clip positions [2 V 4], triangles and colours: solids and loose triangles around a camera."""
    generator = torch.Generator().manual_seed(seed)
    corners, faces = octahedron()
    turns = torch.linalg.qr(torch.randn(2, 3, 3, 3, generator=generator, dtype=torch.float64)).Q
    middle = torch.rand(2, 3, 1, 3, generator=generator, dtype=torch.float64) * 3 - 1.5
    solids = corners @ turns + middle - torch.tensor([0.0, 0.0, 3.0])
    # Some of these reach behind the camera.
    loose = torch.randn(2, 18, 3, generator=generator, dtype=torch.float64) * 2
    points = torch.cat([solids.flatten(1, 2), loose - torch.tensor([0.0, 0.0, 2.0])], 1)
    triangles = [faces, faces + 6, faces + 12, torch.arange(18, 36).view(6, 3)]
    colours = torch.rand(2, 36, 3, generator=generator, dtype=torch.float64)
    return project(points).to(dtype), torch.cat(triangles), colours.to(dtype)


def draw(
    rasterizer: Rasterizer,
    pos: Tensor,
    tri: Tensor,
    color: Tensor,
    size: tuple[int, int] = (24, 32),
) -> tuple[Tensor, Tensor]:
    """rast and the antialiased image."""
    rast = rasterizer.rasterize(pos, tri, size)
    return rast, rasterizer.antialias(rasterizer.interpolate(color, rast, tri), rast, pos, tri)


def relative(value: Tensor, expected: Tensor) -> float:
    return ((value - expected).norm() / expected.norm()).item()


def gradients(
    rasterizer: Rasterizer, seed: int, dtype: torch.dtype, size: tuple[int, int] = (24, 32)
) -> tuple[Tensor, ...]:
    """rast, image, and the gradients of random cotangents for positions and colours."""
    pos, tri, color = random_scene(seed, dtype)
    pos.requires_grad_()
    color.requires_grad_()
    rast, image = draw(rasterizer, pos, tri, color, size)
    generator = torch.Generator().manual_seed(1000 + seed)
    weights = [
        torch.randn(x.shape, generator=generator, dtype=torch.float64) for x in (rast, image)
    ]
    outputs = [rast[..., :3], image]
    cotangents = [weights[0][..., :3].to(dtype), weights[1].to(dtype)]
    return rast, image, *torch.autograd.grad(outputs, [pos, color], cotangents)
