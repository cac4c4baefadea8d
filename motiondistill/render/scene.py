"""The rendered scene: a lit body on a ground plane before a background."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.render.appearance import Appearance, PartColours
from motiondistill.render.background import Background, Solid
from motiondistill.render.ground import Ground
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.shading import Light
from motiondistill.render.supersampling import finer, shrink
from motiondistill.render.view import View, draw
from motiondistill.structures import Camera, Mesh


@dataclass(frozen=True)
class Scene:
    """What the body looks like, what surrounds it and how it is lit.

    The same for training a prior and for distillation: the shipped prior knows the defaults.
    """

    rasterizer: Rasterizer
    appearance: Appearance = field(default_factory=PartColours)
    light: Light = field(default_factory=Light)
    background: Background = field(default_factory=Solid)
    ground: Ground | None = field(default_factory=Ground)
    """None leaves the body in the air."""
    supersampling: int = 1
    """Every pixel of a video is the mean of this many, squared."""

    def __call__(self, mesh: Mesh, camera: Camera) -> Float[Tensor, "*views 3 height width"]:
        """Videos `[*B F 3 H W]`, sRGB in [0, 1]; see `draw` for how clips and cameras pair up."""
        video = self.paint(self.draw(mesh, finer(camera, self.supersampling)))
        return shrink(video, self.supersampling)

    def draw(self, mesh: Mesh, camera: Camera) -> View:
        """The geometry pass, from which `paint`, `outputs.depth` and `outputs.part_mask` read."""
        half = None if self.ground is None else self.ground.half_size
        return draw(self.rasterizer, mesh, camera, ground_half_size=half)

    def paint(self, view: View) -> Float[Tensor, "*views 3 height width"]:
        """The view's videos, sRGB in [0, 1]."""
        floor = torch.tensor(Ground().colour if self.ground is None else self.ground.colour)
        image = self.appearance(view, self.light, floor.to(view.rast))
        if self.ground is not None:
            image = self.ground(view, image)
        behind = self.background(view.clip_from_world, view.size, self.rasterizer)
        empty = (view.rast[..., 3:].detach() == 0).to(image)
        # Nothing is there yet, so a sum will do: it costs a third of a choice and its gradient.
        image = torch.addcmul(image, empty, view.per_image(behind))
        image = self.rasterizer.antialias(image, view.rast, view.positions, view.faces)
        return view.upright(image)
