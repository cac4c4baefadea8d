"""What can be seen: contact sheets of appearances, scenes, bodies, cameras and outputs.

    python experiments/gallery.py [--out results/rendering]

Writes one image a sheet, and beside the folder a page of the same name that shows them.
"""

import argparse
import dataclasses
import math
from pathlib import Path
from typing import Any

import imageio.v3
import torch
from jaxtyping import Float
from this_machine import this_machine
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.anny import Phenotype, anny_body
from motiondistill.body.base import Body
from motiondistill.bookkeeping.store import origin
from motiondistill.building.objects import make_changes, make_scene
from motiondistill.cameras import Orbit, azimuths_of
from motiondistill.data.parametric import parametric_motion
from motiondistill.film.shots import ShotSettings, cameras_along
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.render.appearance import part_palette, textured
from motiondistill.render.background import Backdrop, CubeMap
from motiondistill.render.clothing import from_hsv
from motiondistill.render.motion_map import motion_map, smpl_parts
from motiondistill.render.outputs import depth, part_mask
from motiondistill.render.randomization import randomized
from motiondistill.render.scene import Scene
from motiondistill.render.skeleton_map import skeleton_map
from motiondistill.render.tracklets import spread, tracklets
from motiondistill.report.media import to_bytes
from motiondistill.schema.look import RenderConfig
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, Camera, Mesh, Motion
from motiondistill.trajectories import Trajectory, dolly, pan, still, turn, zoom

SEED = 0
T_POSE = Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), 8.0)
ORBIT = Orbit(size=(160, 96), fov_y=0.56)
Row = Float[Tensor, "3 height width"]


def clip(body: Body, action: str, frame: int | None = None) -> Motion:
    """One second of an action of the left limb, or one of its eight frames."""
    draw = seeded(SEED, 0, action)
    motion = parametric_motion(action, "left", draw, body.rest_joints, 8.0, 8)
    return motion if frame is None else motion.map(lambda values: values[frame : frame + 1])


def hands(curl: float, fan: float) -> Float[Tensor, "1 30 3 3"]:
    """Fingers bent into the palm, and spread from the middle one, radians."""
    angles = torch.zeros(2, 5, 3, 3)  # sides, fingers (thumb last), joints
    angles[:, :4, :, 2] = curl
    angles[:, :, 0, 1] = fan * torch.tensor([1.0, 0.3, -1.2, -0.5, 2.0])
    angles[0] *= -1  # the left hand is the right one's mirror image
    return rotations.from_axis_angle(angles.view(1, 30, 3))


def scene(body: Body, **keys: Any) -> Scene:
    """The scene of these keys of the configuration."""
    return make_scene(RenderConfig(supersampling=2, **keys), body)


def strip(seen: Scene, mesh: Mesh, camera: Camera) -> Row:
    """The frames of all views side by side."""
    return torch.cat(list(seen(mesh, camera).flatten(0, -4)), -1)


def at(azimuth: float, **changes: Any) -> Camera:
    """The sheets' camera from this side, changed."""
    return dataclasses.replace(ORBIT, **changes)(torch.tensor([azimuth]))


def chart(side: int = 256) -> Float[Tensor, "3 side side"]:
    """A checkered image that is redder to its right and greener to its top."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    checks = 0.7 + 0.3 * ((x // 16 + y // 16) % 2)
    return torch.stack([x / side, 1 - y / side, torch.full_like(checks, 0.35)]) * checks


def appearances() -> list[Row]:
    """Rows: 1,229 vertices from the front left and from behind, 13,718 likewise. Columns: parts,
    unlit, plain, normals, five outfits, an image as texture."""
    rows, keys = [], [{}, {"shading": "unlit"}, {"appearance": "plain"}, {"shading": "normals"}]
    for body in (anny_body("low"), anny_body("full")):
        looks = [scene(body, **key) for key in keys]
        looks += [scene(body, appearance="clothing", outfit=seed) for seed in range(5)]
        looks.append(dataclasses.replace(looks[0], appearance=textured(chart())))
        mesh = body(clip(body, "run", 3))
        for side in (0.5, 0.5 + math.pi):
            rows.append(torch.cat([strip(each, mesh, at(side)) for each in looks], -1))
    return rows


def scenes() -> list[Row]:
    """Rows: one colour, a sky, an image, and six sides of a cube map; contact shadows of standing,
    jumping and squatting, and the ground from close to it, from above and from below; surroundings
    drawn at random, nine times; light and clothes as well."""
    body = anny_body("low")
    stand, jump, squat = (body(clip(body, *a)) for a in (("stand", 0), ("jump", 6), ("squat", 6)))
    bare, sky = scene(body, ground="none"), scene(body, ground="checkered", background="sky")
    tints = 1 - 0.6 * torch.eye(6, 3)[..., None, None]
    inside = dataclasses.replace(bare, background=CubeMap(tints * chart()))
    behind = dataclasses.replace(bare, background=Backdrop(chart()))
    first = [strip(each, stand, at(0.4)) for each in (bare, scene(body, background="sky"), behind)]
    round_about = [{"azimuth": 0.4 + k * math.pi / 2} for k in range(4)]
    for place in (*round_about, {"elevation": 1.2}, {"elevation": -1.2}):
        first.append(strip(inside, stand, at(**{"azimuth": 0.4, "fov_y": 1.2} | place)))
    grounds = scene(body, shadow=0.55), sky
    second = [strip(each, m, at(0.4)) for each in grounds for m in (stand, jump, squat)]
    second += [strip(sky, stand, at(math.pi / 4, elevation=e)) for e in (0.02, 1.1, -0.4)]
    rows = [torch.cat(first, -1), torch.cat(second, -1)]
    for choice in ("background", "everything"):
        keys: dict[str, Any] = {"randomize": choice, "ground": "checkered"}
        config = RenderConfig(appearance="clothing", supersampling=2, **keys)
        given, changes = make_scene(config, body), make_changes(config, body)
        drawn = [randomized(given, changes, seeded(SEED, k, "scene")) for k in range(9)]
        rows.append(torch.cat([strip(each, stand, at(0.4)) for each in drawn], -1))
    return rows


def bodies() -> list[Row]:
    """Anny's average, a child, then both ends of gender, age, height, weight, muscle and
    proportions, and of weight for an adult without muscles. Below: left and right hand at rest, as
    a fist and spread; the jaw closed and open."""
    knobs = [knob.name for knob in dataclasses.fields(Phenotype)]
    shapes = [{}, {"age": 1 / 3}, *({knob: end} for knob in knobs for end in (0.0, 1.0))]
    shapes += [{"age": 0.7, "muscle": 0.0, "weight": end} for end in (0.0, 1.0)]
    tiles = []
    for body in (anny_body("full", Phenotype(**shape)) for shape in shapes):
        mesh = body(clip(body, "stand", 0))
        tiles.append(strip(scene(body, appearance="plain", shadow=0.5), mesh, at(0.5, fov_y=0.64)))
    body = anny_body("full")
    skin = scene(body, appearance="plain", colour=(0.86, 0.70, 0.60), ground="none")

    def close_up(joint: str, elevation: float, **detail: Any) -> Row:
        mesh = body(dataclasses.replace(T_POSE, **detail))
        middle = mesh.joints[:, None, JOINT_INDEX[joint]] * torch.tensor([1.1, 1.0, 1.0])
        place = {"elevation": elevation, "distance": 1.0, "target_height": 0.0, "fov_y": 0.4}
        moved = dataclasses.replace(mesh, vertices=mesh.vertices - middle)
        return strip(skin, moved, at(0.4, **place))

    held = [hands(curl, fan) for curl, fan in ((0.0, 0.0), (1.2, 0.0), (0.0, 0.25))]
    jaws = [rotations.from_axis_angle(torch.tensor([[angle, 0.0, 0.0]])) for angle in (0.0, 0.35)]
    details = [close_up(f"{s}_wrist", 0.9, hands=h) for s in ("left", "right") for h in held]
    details += [close_up("head", 0.1, jaw=jaw) for jaw in jaws]
    return [torch.cat(row, -1) for row in (tiles[:8], tiles[8:], details)]


def cameras() -> list[Row]:
    """Rows: eight views; elevations; fields of view, and aspects, from the distance that frames the
    clip; once round, a dolly, a zoom and a pan while the subject walks."""
    body, orbit = anny_body("low"), dataclasses.replace(ORBIT, size=(100, 80))
    seen = scene(body, ground="checkered", background="sky")
    wave, walk = body(clip(body, "wave", 2)), body(clip(body, "walk"))
    fields, widths = (0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2.0, 2.2), (200, 134, 100, 80, 66, 60)
    lifted = [
        at(0.5, size=orbit.size, elevation=e) for e in (-0.2, 0.0, 0.2, 0.4, 0.7, 1.0, 1.3, 1.5)
    ]
    shots = [ShotSettings(views=("0.5",), size=orbit.size, fov_y=field) for field in fields]
    shots += [dataclasses.replace(shots[0], size=(100, w), fov_y=orbit.fov_y) for w in widths]
    times, heading = torch.arange(8) / 8, torch.zeros(1)
    framed = [cameras_along(_stay, shot, times[:1], heading[0], lambda: [wave]) for shot in shots]
    rows = [strip(seen, wave, orbit(azimuths_of(VIEW_NAMES)))]
    for row in (lifted, framed[: len(fields)], framed[len(fields) :]):
        rows.append(torch.cat([strip(seen, wave, each) for each in row], -1))
    paths = (turn(orbit, 2 * math.pi, 1.0), dolly(orbit, 2.0, 1.0), zoom(orbit, 2.0, 1.0))
    return rows + [
        strip(seen, walk, path(times, heading)) for path in (*paths, pan(orbit, 0.4, 1.0))
    ]


def _stay(orbit: Orbit, azimuth: float) -> Trajectory:
    return still(orbit, azimuth=azimuth)


def outputs() -> list[Row]:
    """Eight views in colours, as motion maps, skeleton maps, depth, part masks and tracklets."""
    body = anny_body("full")
    motion, camera, rest = clip(body, "wave", 2), ORBIT(azimuths_of(VIEW_NAMES)), body(T_POSE)
    mesh, seen = body(motion), scene(body, ground="checkered", background="sky")
    view, colours = seen.draw(mesh, camera), seen(mesh, camera)
    palette = torch.cat([part_palette(), torch.zeros(1, 3)])
    masks = palette[part_mask(view)].movedim(-1, -3)
    near = ((4.8 - depth(view)) / 1.6).clamp(0, 1)[..., None, :, :].expand_as(masks)
    tracks = tracklets(mesh, camera, spread(rest.vertices[0], 120), view.rasterizer)
    dots = 0.5 * colours.mean(-3, keepdim=True).repeat(1, 1, 3, 1, 1)
    for k, point in tracks.visible[:, 0].nonzero().tolist():
        x, y = tracks.pixels[k, 0, point].int().tolist()
        hue = from_hsv(point / 120, 1.0, 1.0)
        dots[k, 0, :, y - 1 : y + 1, x - 1 : x + 1] = hue[:, None, None]
    maps = motion_map(mesh, camera, smpl_parts(rest), view.rasterizer)
    shown = (colours, maps, skeleton_map(mesh, motion, camera), near, masks, dots)
    return [torch.cat(list(images[:, 0]), -1) for images in shown]


def main() -> None:
    """All sheets, then the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/rendering"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    about = origin("")
    page = "# What can be seen\n\nCommand: `python experiments/gallery.py`; "
    page += f"seed {SEED}; commit {about['commit']};\n{this_machine()}"
    page += f", torch {about['torch']}. Drawn by the `cpu` rasteriser.\n"
    for sheet in (appearances, scenes, bodies, cameras, outputs):
        with torch.no_grad():
            image = to_bytes(torch.cat(sheet(), -2)[None])[0].numpy()
        imageio.v3.imwrite(out / f"{sheet.__name__}.png", image)
        page += f"\n## {sheet.__name__.capitalize()}\n\n{' '.join((sheet.__doc__ or '').split())}\n"
        page += f"\n![]({out.name}/{sheet.__name__}.png)\n"
    out.with_suffix(".md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
