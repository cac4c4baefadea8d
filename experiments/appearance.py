"""Part colours or the motion map: what should the embedded prior's videos look like?

    python experiments/appearance.py [--mocap FOLDER] [--out trainings/appearance]
        [--clips 1000] [--codec-steps 300] [--fit-steps 120] [--rate 0.01] [--seed 0]
        [--only NAME ...]

Four appearances of the same motions at 64 pixels: today's part colours, the same with a dark back,
the motion map of CoMoVi, and a smooth one whose red is interpolated and tells the sides first. Each
is asked three things. (a) Known motions are fitted through the renderer to their own renders, from
the neutral stance, one known view at a time: how far off are the joints, and are the sides
mistaken? (b) A framewise codec learns the appearance for a few steps, and the same fits go to its
round trips. (c) How far apart in pictures, in units of that codec's error, are a clip and its two
doubles: the one with left and right exchanged, and the one with front and back exchanged (reflected
in depth)? And of each appearance: how wrong is the renderer's gradient for moving the body?

Stages that are done are skipped. Writes OUT/appearance.md and results/embedded_choices/*.png.
"""

import argparse
import logging
import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import imageio.v3
import torch
from embedded_choices.codecs import train
from embedded_choices.fitting import LIMBS, fit, measure, neutral, slope_error
from embedded_choices.looks import looks, painted, reflected
from embedded_training.clips import FPS, FRAMES, SIZE, Clips, Plan, make_dataset, name_motions
from embedded_training.codec import BATCH, RATE, frame_images, normalise
from embedded_training.encoded import encode
from embedded_training.loop import Recipe
from embedded_training.networks import build_codec, seeded_weights
from embedded_training.shards import stored
from jaxtyping import Float, UInt8
from rich.console import Console
from torch import Tensor

from motiondistill.body.anny import anny_body
from motiondistill.body.base import Body
from motiondistill.bookkeeping.progress import make_reporter
from motiondistill.cameras import Orbit
from motiondistill.data.dataset import ActionDataset
from motiondistill.data.parametric import parametric_motion
from motiondistill.data.windows import hold_in_place
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.structures import Motion

VIEWS = {"front": 0.0, "three-quarter": math.pi / 4, "side": math.pi / 2}
MOCAP_ACTIONS = ("walk", "run", "kick", "jump")
PARAMETRIC = (("wave", "left"), ("punch", "right"), ("jumping jacks", "left"), ("bow", "left"))
DOUBLES = 64  # held-out clips whose doubles are drawn
RESULTS = Path("results/embedded_choices")

_log = logging.getLogger(__name__)


def known_motions(dataset: ActionDataset, seed: int) -> list[Motion]:
    """A window of each of four actions that were captured, and four parametric motions."""
    captured = [dataset.windows[action][0][0].motion for action in MOCAP_ACTIONS if dataset.windows]
    made = [
        hold_in_place(
            parametric_motion(
                action, side, seeded(seed, 0, action), dataset.rest_joints, FPS, FRAMES
            )
        )
        for action, side in PARAMETRIC
    ]
    return captured + made


@torch.no_grad()
def render_clips(
    body: Body, dataset: ActionDataset, args: argparse.Namespace
) -> dict[str, dict[str, UInt8[Tensor, "*clips F 3 H W"]]]:
    """Videos of each appearance, drawn from one geometry; the last ones with their doubles."""
    total = args.clips + DOUBLES
    plain, exchanged = looks(body), looks(body, exchanged=True)
    shape = (FRAMES, 3, SIZE, SIZE)
    videos = {name: torch.empty(total, *shape, dtype=torch.uint8) for name in plain}
    doubles = {name: torch.empty(DOUBLES, 2, *shape, dtype=torch.uint8) for name in plain}
    scene, cameras = Scene(CpuRasterizer()), Orbit(size=(SIZE, SIZE))
    with make_reporter(Console(), total, "clip") as report:
        for index in range(total):
            generator = seeded(args.seed, index, "clip")
            window = dataset.sample_clip(dataset.sample_action(generator), generator)
            azimuth = torch.rand(1, generator=generator) * 2 * math.pi
            mesh = body(Motion.stack([window.motion]))
            view = scene.draw(mesh, cameras(azimuth))
            for name, video in painted(scene, view, plain).items():
                videos[name][index] = video[0]
            if index >= args.clips:
                far = scene.draw(reflected(mesh, azimuth), cameras(azimuth))
                sides, depths = painted(scene, view, exchanged), painted(scene, far, exchanged)
                for name in plain:
                    doubles[name][index - args.clips] = torch.cat([sides[name], depths[name]])
            report(index + 1)
    return {name: {"videos": videos[name], "doubles": doubles[name]} for name in plain}


@torch.no_grad()
def through(codec: Any, videos: Float[Tensor, "*clips 3 height width"]) -> Tensor:
    """The videos after the codec."""
    latents = codec.encode(videos.flatten(0, -4) * 2 - 1).latent_dist.mode()
    return (codec.decode(latents).sample / 2 + 0.5).clamp(0, 1).view(videos.shape)


def double_margins(
    codec: Any, videos: UInt8[Tensor, "clips F 3 H W"], doubles: UInt8[Tensor, "clips 2 F 3 H W"]
) -> dict[str, list[float]]:
    """Each double's squared distance from the decoded clip, over the clip's own."""
    true, doubles = videos.float() / 255, doubles.float() / 255
    decoded = torch.cat([through(codec, part) for part in true.split(8)])
    own = (decoded - true).square().mean((1, 2, 3, 4))
    apart = (decoded[:, None] - doubles).square().mean((2, 3, 4, 5))
    ratios = apart / own[:, None]
    return {"sides": ratios[:, 0].tolist(), "front and back": ratios[:, 1].tolist()}


def fits(
    name: str, body: Body, motions: list[Motion], codec: Any, args: argparse.Namespace
) -> dict[str, Any]:
    """Fits from every view to renders, or to what the codec makes of them; and pictures of both."""
    scene = Scene(CpuRasterizer(), looks(body)[name])
    mesh, figures = body(Motion.stack(motions)), {}
    for view, azimuth in VIEWS.items():
        with torch.no_grad():
            cameras = Orbit(size=(SIZE, SIZE))(torch.full((len(motions),), azimuth))
            targets = scene(mesh, cameras)
            if codec is not None:
                targets = through(codec, targets)
        figures[view] = measure(
            fit(body, scene, targets, azimuth, args.rate, args.fit_steps, args.seed), mesh.joints
        )
        error = sum(figures[view]["joints"]) / len(motions)
        _log.info("%s, %s: %.1f cm", name, view, error)
    return figures


def row(name: str, results: dict[str, Any]) -> str:
    """A line of the table; stages that are not done leave their cells empty."""
    slope = results.get("slope")
    cells = [name, "-" if slope is None else f"{slope:.1f}"]
    for stage in ("renders", "round trips"):
        if stage not in results:
            cells += ["-"] * (2 + len(LIMBS))
            continue
        every = results[stage].values()
        for figure in ("joints", *LIMBS):
            values = torch.tensor([value for view in every for value in view[figure]])
            cells.append(f"{float(values.mean()):.1f}")
        wrong = [flag for view in every for limb in LIMBS for flag in view[f"{limb} mistaken"]]
        cells.append(f"{sum(wrong)} of {len(wrong)}")
    for double in ("sides", "front and back"):
        ratios = torch.tensor(results.get("doubles", {}).get(double, [math.nan]))
        cells.append(f"{float(ratios.median()):.2f} / {float(ratios.quantile(0.05)):.2f}")
    return "| " + " | ".join(cells) + " |"


def sheet(frames: dict[str, Tensor], codecs: dict[str, Any]) -> None:
    """A picture: for each appearance a row of frames in bytes, and below it their round trips."""
    rows = []
    for name, codec in codecs.items():
        true = frames[name].float() / 255
        rows += [torch.cat([*part], -1) for part in (true, through(codec, true))]
    image = torch.cat(rows, -2).repeat_interleave(2, -1).repeat_interleave(2, -2)
    RESULTS.mkdir(parents=True, exist_ok=True)
    imageio.v3.imwrite(RESULTS / "appearances.png", (image.permute(1, 2, 0) * 255).byte().numpy())


def learn_codec(videos: UInt8[Tensor, "clips F 3 H W"], plan: Plan, steps: int) -> Any:
    """The weights of a codec of these clips, with unit latents."""
    draw = partial(frame_images, Clips(plan, (videos,), (), ()), BATCH)
    recipe = Recipe(steps, BATCH, RATE, plan.seed)
    codec = train(seeded_weights(plan.seed, build_codec, SIZE), draw, recipe)
    normalise(codec, encode(codec, videos[::20]))
    return codec.state_dict()


def run(args: argparse.Namespace) -> str:
    """All stages that are not done; returns the table."""
    body = anny_body("low")
    dataset = make_dataset(args.mocap, body.rest_joints, FRAMES)
    motions = known_motions(dataset, args.seed)
    true, start = Motion.stack(motions), neutral(len(motions))
    unfitted = {"any": measure(body(start).joints, body(true).joints)}
    lines, names = [row("(the start of the fits)", {"renders": unfitted})], list(looks(body))
    # Fits do not depend on what front and back look like: their views are known.
    fitted = [name for name in names if "back" not in name]
    plan = Plan(args.clips, args.seed, SIZE, name_motions(dataset))
    trained = {**asdict(plan), "codec_steps": args.codec_steps}
    fits_alone = {**asdict(plan), "fit_steps": args.fit_steps, "rate": args.rate}
    clips = stored(
        args.out / "clips.safetensors", asdict(plan), partial(render_clips, body, dataset, args)
    )
    codecs: dict[str, Any] = {}
    for name in args.only or names:
        folder, results = args.out / name, {"slope": slope_error(body, looks(body)[name], true)}
        videos, doubles = clips[name]["videos"], clips[name]["doubles"]
        fit_all = partial(fits, name, body, motions, args=args)
        if name in fitted:
            results["renders"] = stored(
                folder / "renders.safetensors", fits_alone, partial(fit_all, None)
            )
        codec = codecs[name] = build_codec(SIZE).eval().requires_grad_(False)
        learn = partial(learn_codec, videos[: args.clips], plan, args.codec_steps)
        codec.load_state_dict(stored(folder / "codec.safetensors", trained, learn))
        results["doubles"] = double_margins(codec, videos[args.clips :], doubles)
        if name in fitted:
            path = folder / "round_trips.safetensors"
            results["round trips"] = stored(path, trained | fits_alone, partial(fit_all, codec))
        lines.append(row(name, results))
        _log.info(lines[-1])
    seen = slice(args.clips, args.clips + 12)
    sheet({name: part["videos"][seen, 6] for name, part in clips.items()}, codecs)
    return "\n".join(lines) + "\n"


def parse(words: list[str] | None) -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--mocap", type=Path, help="folder with joints22/ and manifest.csv; else parametric alone"
    )
    parser.add_argument("--out", type=Path, default=Path("trainings/appearance"))
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--codec-steps", type=int, default=300)
    parser.add_argument("--fit-steps", type=int, default=120)
    parser.add_argument("--rate", type=float, default=1e-2, help="of the fits, at its highest")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="appearances to compare; all by default")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Runs the stages that are not done yet."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    args = parse(words)
    table = run(args)
    (args.out / "appearance.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
