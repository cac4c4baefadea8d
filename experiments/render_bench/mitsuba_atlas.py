"""The same task in Mitsuba 3, on its CPU backend, as fast as it can be had there.

The frames stand side by side in one image, so that what a call costs at all is paid once. In camera
space the shear x + c z moves a frame's picture aside and keeps its perspective, its depth order and
its silhouettes: the image is exactly that of the single frames, and so are the derivatives.

The integrator is Mitsuba's base class of projective sampling (Zhang et al. 2023, Projective
Sampling for Differentiable Rendering of Geometry), with its own `prb_projective` cut down to what
an unlit surface needs: less than half the time inside the surfaces, the same estimate.
"""

import math
from typing import Any, Final

import drjit as dr
import mitsuba as mi
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.render.appearance import part_palette
from motiondistill.render.background import Solid
from motiondistill.structures import Camera, Mesh

mi.set_variant("llvm_ad_rgb")
mi.set_log_level(mi.LogLevel.Error)
from mitsuba.ad.integrators.common import PSIntegrator  # noqa: E402 (needs the variant)

# Samples of a pixel spread evenly: a little less noise than independent ones, at the same cost.
_SAMPLER: Final = "multijitter"
_COLOUR: Final = "vertex_colour"


class Unlit(PSIntegrator):
    """Radiance is the colour of what a ray meets first."""

    def __init__(self, props: mi.Properties) -> None:
        super().__init__(props)
        self.radiative_backprop = False

    def sample(
        self,
        mode: dr.ADMode,
        scene: mi.Scene,
        sampler: mi.Sampler,
        ray: mi.Ray3f,
        active: mi.Bool = True,
        **_: Any,
    ) -> tuple[mi.Color3f, mi.Bool, list[mi.Float], None]:
        """See `PSIntegrator.sample`; differentiable where the ray stays within a surface."""
        with dr.resume_grad(when=mode != dr.ADMode.Primal):
            hit = scene.ray_intersect(ray, mi.RayFlags.All, coherent=True, active=active)
            return _look(hit, active), active, [], None

    def sample_radiance_difference(
        self,
        scene: mi.Scene,
        ss: mi.SilhouetteSample3f,
        curr_depth: int,
        sampler: mi.Sampler,
        wavelengths: mi.Color0f,
        active: mi.Bool,
    ) -> tuple[mi.Color3f, mi.Bool]:
        """The silhouette's colour minus that behind it."""
        ray = ss.spawn_ray(wavelengths)
        behind, *_ = self.sample(dr.ADMode.Primal, scene, sampler, ray, active=active)
        edge = dr.zeros(mi.PreliminaryIntersection3f)
        edge.valid, edge.t, edge.shape = active, 1, ss.shape
        edge.prim_index, edge.prim_uv = ss.prim_index, ss.uv
        towards = mi.Ray3f(ss.p - ss.d, ss.d)
        hit = edge.compute_surface_interaction(towards, mi.RayFlags.Minimal, active)
        return dr.select(active, _look(hit, active) - behind, 0), active


def _look(hit: mi.SurfaceInteraction3f, active: mi.Bool) -> mi.Color3f:
    seen = hit.is_valid() & active
    colour = hit.shape.eval_attribute_3(_COLOUR, hit, seen)
    return dr.select(seen, mi.Color3f(colour), mi.Color3f(*Solid().colour))


mi.register_integrator("unlit", Unlit)


class Atlas:
    """A clip's frames as one Mitsuba scene, which keeps its kernels and its image between calls."""

    def __init__(self, mesh: Mesh, camera: Camera) -> None:
        """The scene of a clip [1 F] before `camera`, which stands still; F must be a square."""
        frames, count = mesh.vertices.shape[1:3]
        self._tiles, (self._size, _) = math.isqrt(frames), camera.size
        if self._tiles**2 != frames:
            raise ValueError(f"`mesh` must have a square number of frames, got {frames}; take 16.")
        self._matrices, self._shifts = _into_tiles(camera, self._tiles)
        faces = mesh.faces + count * torch.arange(frames)[:, None, None]
        body = mi.Mesh("body", frames * count, frames * len(mesh.faces))
        parameters = mi.traverse(body)
        parameters["faces"] = mi.UInt32(faces.numpy().astype(np.uint32).ravel())
        parameters["vertex_positions"] = self._placed(mesh.vertices)
        parameters.update()
        colours = part_palette()[mesh.parts].repeat(frames, 1)
        body.add_attribute(_COLOUR, 3, colours.numpy().ravel())
        view = 2 * math.atan(self._tiles * math.tan(camera.fov_y / 2))
        self._scene = mi.load_dict(
            {
                "type": "scene",
                "body": body,
                "integrator": {"type": "unlit", "sppi": 0},  # nothing is seen indirectly
                "sensor": {
                    "type": "perspective",
                    "fov": math.degrees(view),
                    "near_clip": camera.near,
                    "far_clip": camera.far,
                    "film": {
                        "type": "hdrfilm",
                        "width": self._size * self._tiles,
                        "height": self._size * self._tiles,
                        "rfilter": {"type": "box"},
                        "pixel_format": "rgb",
                        "component_format": "float32",
                    },
                    "sampler": {"type": _SAMPLER},
                },
            }
        )
        self._parameters = mi.traverse(self._scene)

    def move(self, vertices: Float[Tensor, "1 frames vertices 3"]) -> None:
        """Take other vertices (metres, world); Mitsuba builds its search tree anew."""
        positions = self._placed(vertices)
        dr.enable_grad(positions)
        self._parameters["body.vertex_positions"] = positions
        self._parameters.update()
        dr.sync_thread()

    def render(self, samples: int, seed: int) -> Float[Tensor, "1 frames 3 size size"]:
        """The video, with so many samples a pixel."""
        with dr.suspend_grad():
            image = self._scene.integrator().render(self._scene, seed=seed, spp=samples)
        tiles, size = self._tiles, self._size
        pixels = torch.from_numpy(np.array(image)).view(tiles, size, tiles, size, 3)
        return pixels.permute(0, 2, 4, 1, 3).reshape(1, tiles**2, 3, size, size)

    def backward(
        self,
        weights: Float[Tensor, "1 frames 3 size size"],
        samples: tuple[int, int],
        seed: int,
    ) -> Float[Tensor, "1 frames vertices 3"]:
        """The derivative by the vertices, given that by the pixels.

        `samples` a pixel are for the inside of surfaces, and for silhouettes.
        """
        tiles, size = self._tiles, self._size
        pixels = weights.view(tiles, tiles, 3, size, size).permute(0, 3, 1, 4, 2)
        integrator = self._scene.integrator()
        integrator.sppc, integrator.sppp = samples
        integrator.render_backward(
            self._scene,
            self._parameters,
            mi.TensorXf(pixels.reshape(tiles * size, tiles * size, 3).numpy()),
            seed=seed,
        )
        positions = self._parameters["body.vertex_positions"]
        gradient = torch.from_numpy(np.array(dr.grad(positions)))
        dr.set_grad(positions, 0)
        return (gradient.view(tiles**2, -1, 3) @ self._matrices)[None]

    def _placed(self, vertices: Float[Tensor, "1 frames vertices 3"]) -> mi.Float:
        """Vertices in the axes of Mitsuba's camera, every frame moved to its tile."""
        placed = vertices[0] @ self._matrices.transpose(-1, -2) + self._shifts[:, None]
        return mi.Float(placed.numpy().ravel())


def _into_tiles(
    camera: Camera, tiles: int
) -> tuple[Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3"]]:
    """Matrices and shifts from the world to Mitsuba's camera, whose axes are left, up, forward."""
    turned = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))
    from_world = camera.camera_from_world[0, 0]
    index = torch.arange(tiles**2)
    shears = torch.eye(3).repeat(tiles**2, 1, 1)
    for axis, place in enumerate((index % tiles, index // tiles)):
        # The middle of the tile, in halves of a tile from the middle of the image, right and down.
        shears[:, axis, 2] = -(2 * place + 1 - tiles) * math.tan(camera.fov_y / 2)
    return shears @ turned @ from_world[:3, :3], shears @ turned @ from_world[:3, 3]
