"""Part colours or the motion map: what should the embedded prior's videos look like?

    python experiments/appearance.py --mocap FOLDER [--out trainings/appearance]
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
import json
import math
import time
from pathlib import Path
from typing import Any

import imageio.v3
import torch
from embedded_choices.fitting import LIMBS, fit, measure, neutral, slope_error
from embedded_choices.looks import looks, painted, reflected
from jaxtyping import Float
from torch import Tensor
from train_embedded_prior import FPS, FRAMES, SIZE, report, save, train_codec

from motiondistill.body.anny import anny_body
from motiondistill.body.base import Body
from motiondistill.cameras import Orbit
from motiondistill.data.dataset import ActionDataset, action_dataset, mocap_windows
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


def known_motions(dataset: ActionDataset, seed: int) -> list[Motion]:
    """Four windows of motion capture and four parametric motions."""
    captured = [dataset.windows[action][0][0].motion for action in MOCAP_ACTIONS]
    made = [
        hold_in_place(
            parametric_motion(
                action, side, seeded(seed, 0, action), dataset.rest_joints, FPS, FRAMES
            )
        )
        for action, side in PARAMETRIC
    ]
    return captured + made


def render_clips(
    folder: Path, body: Body, dataset: ActionDataset, args: argparse.Namespace
) -> None:
    """Writes uint8 videos of each appearance, drawn from one geometry, and of held-out doubles."""
    total, start = args.clips + DOUBLES, time.time()
    plain, exchanged = looks(body), looks(body, exchanged=True)
    if all((folder / name / "clips.pt").exists() for name in plain):
        return
    shape = (FRAMES, 3, SIZE, SIZE)
    videos = {name: torch.empty(total, *shape, dtype=torch.uint8) for name in plain}
    doubles = {name: torch.empty(DOUBLES, 2, *shape, dtype=torch.uint8) for name in plain}
    scene, cameras = Scene(CpuRasterizer()), Orbit(size=(SIZE, SIZE))
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
        report("render", index, total, start)
    for name in plain:
        (folder / name).mkdir(parents=True, exist_ok=True)
        save(folder / name / "clips.pt", {"videos": videos[name], "doubles": doubles[name]})


@torch.no_grad()
def through(codec: Any, videos: Float[Tensor, "*clips 3 height width"]) -> Tensor:
    """The videos after the codec."""
    latents = codec.encode(videos.flatten(0, -4) * 2 - 1).latent_dist.mode()
    return (codec.decode(latents).sample / 2 + 0.5).clamp(0, 1).view(videos.shape)


def double_margins(folder: Path, codec: Any, seen: slice) -> dict[str, list[float]]:
    """Each double's squared distance from the decoded clip, over the clip's own."""
    clips = torch.load(folder / "clips.pt", weights_only=True)
    true, doubles = clips["videos"][seen].float() / 255, clips["doubles"].float() / 255
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
        start = time.time()
        with torch.no_grad():
            cameras = Orbit(size=(SIZE, SIZE))(torch.full((len(motions),), azimuth))
            targets = scene(mesh, cameras)
            if codec is not None:
                targets = through(codec, targets)
        figures[view] = measure(
            fit(body, scene, targets, azimuth, args.rate, args.fit_steps, args.seed), mesh.joints
        )
        error = sum(figures[view]["joints"]) / len(motions)
        print(f"{name}, {view}: {error:.1f} cm, {time.time() - start:.0f} s", flush=True)
    return figures


def stored(path: Path, make: Any) -> Any:
    """What the file holds, made first where it is missing."""
    if not path.exists():
        path.write_text(json.dumps(make()))
    return json.loads(path.read_text())


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


def sheet(out: Path, names: list[str], args: argparse.Namespace) -> None:
    """A picture: for each appearance a row of held-out frames, and below it their round trips."""
    rows = []
    for name in names:
        clips = torch.load(out / name / "clips.pt", weights_only=True)["videos"]
        frames = clips[args.clips : args.clips + 12, 6].float() / 255
        codec = learned_codec(out / name, args)
        rows += [torch.cat([*part], -1) for part in (frames, through(codec, frames))]
    image = torch.cat(rows, -2).repeat_interleave(2, -1).repeat_interleave(2, -2)
    RESULTS.mkdir(parents=True, exist_ok=True)
    imageio.v3.imwrite(RESULTS / "appearances.png", (image.permute(1, 2, 0) * 255).byte().numpy())


def learned_codec(folder: Path, args: argparse.Namespace) -> Any:
    """The codec of the folder's clips, trained if it is not there yet."""
    videos = torch.load(folder / "clips.pt", weights_only=True)["videos"][: args.clips]
    codec = train_codec(folder, videos, args.codec_steps, torch.device("cpu"), args.seed)
    return codec.eval().requires_grad_(False)


def run(args: argparse.Namespace) -> str:
    """All stages that are not done; returns the table."""
    out, body = args.out, anny_body("low")
    windows = mocap_windows(args.mocap, body.rest_joints, FPS, FRAMES)
    dataset = action_dataset(windows, body.rest_joints, FPS, FRAMES)
    motions = known_motions(dataset, args.seed)
    true, start = Motion.stack(motions), neutral(len(motions))
    unfitted = {"any": measure(body(start).joints, body(true).joints)}
    lines, names = [row("(the start of the fits)", {"renders": unfitted})], list(looks(body))
    # Fits do not depend on what front and back look like: their views are known.
    fitted = [name for name in names if "back" not in name]
    render_clips(out, body, dataset, args)
    for name in args.only or names:
        folder, results = out / name, {"slope": slope_error(body, looks(body)[name], true)}
        if name in fitted:
            results["renders"] = stored(
                folder / "a.json", lambda name=name: fits(name, body, motions, None, args)
            )
        codec = learned_codec(folder, args)
        results["doubles"] = double_margins(folder, codec, slice(args.clips, args.clips + DOUBLES))
        if name in fitted:
            results["round trips"] = stored(
                folder / "b.json",
                lambda name=name, codec=codec: fits(name, body, motions, codec, args),
            )
        lines.append(row(name, results))
        print(lines[-1], flush=True)
    sheet(out, args.only or names, args)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs the stages that are not done yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--mocap", type=Path, required=True, help="folder with joints22/ and manifest.csv"
    )
    parser.add_argument("--out", type=Path, default=Path("trainings/appearance"))
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--codec-steps", type=int, default=300)
    parser.add_argument("--fit-steps", type=int, default=120)
    parser.add_argument("--rate", type=float, default=1e-2, help="of the fits, at its highest")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="appearances to compare; all by default")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    table = run(args)
    (args.out / "appearance.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
