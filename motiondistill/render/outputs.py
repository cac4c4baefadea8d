"""What a view tells besides colours: depth and body parts. Neither rasterises anew."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.render.view import View


def depth(view: View) -> Float[Tensor, "*leading height width"]:
    """Distance along the camera's axis at every pixel's centre, metres, row 0 at the top.

    Of the body and of the ground. Infinity where nothing is seen, so that `nearer than` holds
    against it, and its inverse is 0. Differentiable in the vertices inside of a surface; which
    surface is seen is not.
    """
    # A clip position's w is its distance along the axis.
    distances = view.rasterizer.interpolate(view.positions[..., 3:], view.rast, view.faces)
    empty = view.rast[..., 3:].detach() == 0
    return view.upright(torch.where(empty, torch.inf, distances)).squeeze(-3)


def part_mask(view: View) -> Int[Tensor, "*leading height width"]:
    """Index in `PART_NAMES` of the part at every pixel's centre, row 0 at the top.

    -1 on the ground and where nothing is seen. A triangle whose corners belong to several parts
    gives every pixel its nearest corner's, by barycentric weights.
    """
    u, v, _, seen = view.rast.detach().unbind(-1)
    nearest = torch.stack([u, v, 1 - u - v], -1).argmax(-1, keepdim=True)
    body = view.sees_body()
    triangle = torch.where(body.squeeze(-1), seen.long() - 1, 0)
    vertex = view.mesh.faces[triangle].gather(-1, nearest)
    return view.upright(torch.where(body, view.mesh.parts[vertex], -1)).squeeze(-3)
