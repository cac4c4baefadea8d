"""How well does motion capture sit on our body, and do the importers read what others read?

    python experiments/retargeting.py --mocap FOLDER [--out results/retargeting] [--sheets 8]

FOLDER holds the sources' files, `manifest.csv`, and the joint positions that another reader made of
the same files (`joints22/*.npz`). Every clip is read by `motiondistill.data.importers`, compared
with those positions, retargeted to the default body, and measured against the source's joints with
each bone rescaled to ours. Frames within three of a jump of more than half a metre do not count.

Writes a page of tables, and contact sheets into the folder of the same name: the source's stick
figure above our body, worst clips first.
"""

import argparse
import csv
import dataclasses
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import imageio.v3
import numpy as np
import torch
from jaxtyping import Float
from retargeting_parts.measure import LIMBS, SIDES, Joints, Result, habits, quantile, results_of
from retargeting_parts.sheets import sheet
from this_machine import this_machine
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.anny import anny_body
from motiondistill.body.base import Body
from motiondistill.bookkeeping.store import origin
from motiondistill.data.directions import leg_length
from motiondistill.data.importers import CapturedClip, read_folder
from motiondistill.data.joints import JOINTS_FPS
from motiondistill.report.media import to_bytes
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import JOINT_NAMES

# The prefix of its archive of joints, and its folder.
SOURCES = {
    "cmu": "cmu_daz_bvh",
    "c8": "cmu_8actions_mit",
    "m2m": "mesh2motion_cc0",
    "dm": "deepmimic_mit",
    "amp": "cmu_isaacgym_fbx_npy",
    "ad": "animated_drawings_mit",
}
# Joints that the other reader places elsewhere; the page says where.
ELSEWHERE = {
    "dm": ("head",),
    "amp": ("head",),
    "ad": ("spine2", "spine3"),
}


def read_source(mocap: Path, source: str) -> list[CapturedClip]:
    """All clips of one source, named as in the manifest."""
    folder = mocap / SOURCES[source]
    with tempfile.TemporaryDirectory() as scratch:
        archives = sorted(folder.glob("*.zip"))
        for archive in archives:
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(scratch)
        clips = read_folder(Path(scratch) if archives else folder)
    return [_renamed(clip, source) for clip in clips]


def _renamed(clip: CapturedClip, source: str) -> CapturedClip:
    name = clip.name.removeprefix("amp_humanoid_").replace(" ", "_")
    if source == "c8":
        name = f"{clip.subject.partition('/')[0]}_{name}"
    return dataclasses.replace(clip, name=name)


def parity(clip: CapturedClip, other: Joints, source: str) -> Float[Tensor, "frames joints"]:
    """Distances from the other reader's joints, metres, both seen from the first pelvis.

    The legs' length is matched (the other reader made some of them 0.82 m), and for poselib the
    heading, which is a quarter turn of the world.
    """
    count = min(len(clip.joints), len(other))
    mine, other = clip.joints[:count], other[:count]
    mine = mine * (leg_length(other) / leg_length(mine))
    if source == "amp":
        mine = mine @ rotations.about_y(torch.tensor(-torch.pi / 2)).T
    difference = (mine - mine[:1, :1]) - (other - other[:1, :1])
    distance = difference.norm(dim=-1)
    distance[:, [J[name] for name in ELSEWHERE.get(source, ())]] = torch.nan
    return distance


PAGE = """# Retargeting

Motion capture on the default body, and the importers against another reader of the same files.

Command: `python experiments/retargeting.py --mocap FOLDER`; commit {commit}; {machine}, threads:
{threads}, torch {torch}. {clips} clips, {frames} frames at {fps:g} per second, of which {cut}
within three of a jump of more than half a metre do not count.

## Errors of the limbs

Distances in cm between the joints of our body and those of the source with each bone rescaled to
ours. Both have the same middle of the hips. Bones lead from there to each hip and to the middle of
the shoulders, from there to each shoulder, and along the limbs; each is scaled by our length over
its median in the source. Median / 90th percentile. Goal: a median of at most 3 cm.

{landmarks}

## Errors of all 22 joints, rooted at the pelvis

The same without any allowance for where skeletons have their inner joints: every one of the 21
bones points exactly as in the source (its length is ours), from the pelvis on. A bone leads from
the nearest joint that the source has. What remains is mostly how far a source's pelvis joint lies
above its hips, where it has its collar bones, and how its neck leans: directions in which ours has
no such bones, even in the same pose. Median.

{strict}

## What looks wrong

Shares of frames, in per cent: a sole more than 3 cm under the floor, a knee bent back by more than
0.1 rad, any joint that turns more than 1 rad in a thirtieth of a second.

{habits}

## Importers against the other reader

Distances in cm over all joints that both have, seen from the first frame's pelvis, legs of equal
length. Not compared, as the two place them differently: the head of DeepMimic's and poselib's
humanoids (whose neck joint the other reader calls head; we call it neck, and add head and toes from
the geometry), spine2 and spine3 of AnimatedDrawings where its spine has four joints, and the
collars of the eight actions, which coincide with the chest and are missing here. Where the lengths
differ by a frame, the common frames are compared.

{parity}

## Contact sheets

Above the source's joints, left red and right blue; below our body. First the clips with the largest
median error, then others spread over the source. Eight frames spread over each clip.

{sheets}
"""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cm(values: Tensor, *shares: float) -> str:
    figures = [100 * quantile(values, share) for share in shares]
    return " / ".join("" if np.isnan(figure) else f"{figure:.1f}" for figure in figures)


def _pooled(results: Sequence[Result], name: str) -> Float[Tensor, "frames joints"]:
    return torch.cat([getattr(result, name)[result.sound] for result in results])


def _limb_table(groups: dict[str, list[Result]]) -> str:
    rows = []
    for source, group in groups.items():
        errors = _pooled(group, "landmarks")
        parts = [errors[:, [J[f"{side}_{n}"] for side in SIDES]] for limb in LIMBS for n in limb]
        figures = [_cm(part, 0.5, 0.9) for part in (errors, *parts)]
        rows.append([source, str(len(group)), *figures])
    return table(["source", "clips", "all", *(n for limb in LIMBS for n in limb)], rows)


def _joint_table(groups: dict[str, list[Result]]) -> str:
    rows = []
    for source, group in groups.items():
        errors = _pooled(group, "strict")[:, 1:]
        rows.append([source, _cm(errors, 0.5), *(_cm(joint, 0.5) for joint in errors.unbind(1))])
    return table(["source", "all", *(n.replace("_", " ") for n in JOINT_NAMES[1:])], rows)


def _habit_table(groups: dict[str, list[Result]], body: Body) -> str:
    shares = {source: habits(group, body.rest_joints) for source, group in groups.items()}
    rows = [[source, *(f"{x:.2f}" for x in found.values())] for source, found in shares.items()]
    return table(["source", *shares["all"]], rows)


def _parity_table(parities: dict[str, list[Tensor]]) -> str:
    rows = []
    for source, distances in parities.items():
        pooled = torch.cat([distance.flatten() for distance in distances])
        median, most = quantile(pooled, 0.5), float(pooled[~pooled.isnan()].max())
        rows.append([source, str(len(distances)), f"{100 * median:.6f}", f"{100 * most:.4f}"])
    return table(["source", "clips", "median", "largest"], rows)


def _draw_sheets(results: dict[str, list[Result]], body: Body, out: Path, count: int) -> str:
    """Writes an image a source, and returns the lines of the page that show them."""
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for source, group in results.items():
        ranked = sorted(group, key=lambda result: -result.median)
        spread = ranked[count // 2 :: max(len(ranked) // (count - count // 2), 1)]
        shown = [*ranked[: count // 2], *spread][:count]
        imageio.v3.imwrite(out / f"{source}.png", to_bytes(sheet(shown, body)[None])[0].numpy())
        names = ", ".join(f"{result.clip.name} ({100 * result.median:.1f} cm)" for result in shown)
        lines += [f"{source}: {names}.", "", f"![]({out.name}/{source}.png)", ""]
    return "\n".join(lines).rstrip()


def write(
    results: dict[str, list[Result]],
    parities: dict[str, list[Tensor]],
    body: Body,
    out: Path,
    count: int,
) -> None:
    """The page and its sheets."""
    everything = [result for group in results.values() for result in group]
    groups = results | {"all": everything}
    page = PAGE.format(
        commit=origin("")["commit"],
        machine=this_machine(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        clips=len(everything),
        frames=sum(len(result.sound) for result in everything),
        fps=JOINTS_FPS,
        cut=sum(int((~result.sound).sum()) for result in everything),
        landmarks=_limb_table(groups),
        strict=_joint_table(groups),
        habits=_habit_table(groups, body),
        parity=_parity_table(parities),
        sheets=_draw_sheets(results, body, out, count),
    )
    out.with_suffix(".md").write_text(page, encoding="utf-8")


def main() -> None:
    """Reads, compares, retargets, measures, draws."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mocap", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("results/retargeting"))
    parser.add_argument("--sheets", type=int, default=8, help="clips on each contact sheet")
    options = parser.parse_args()
    with (options.mocap / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    body = anny_body("low")
    results: dict[str, list[Result]] = {}
    parities: dict[str, list[Tensor]] = {}
    for source in SOURCES:
        wanted = {row["clip"] for row in rows if row["npz"] == f"{source}_j22.npz"}
        clips = [clip for clip in read_source(options.mocap, source) if clip.name in wanted]
        missing = wanted - {clip.name for clip in clips}
        if missing:
            raise SystemExit(f"{source}: no file gave {', '.join(sorted(missing))}")
        with np.load(options.mocap / "joints22" / f"{source}_j22.npz", allow_pickle=False) as other:
            parities[source] = [
                parity(clip, torch.from_numpy(other[clip.name]).float(), source) for clip in clips
            ]
        results[source] = list(results_of(source, clips, body))
        print(
            source,
            len(clips),
            f"{100 * quantile(_pooled(results[source], 'landmarks'), 0.5):.2f} cm",
        )
    write(results, parities, body, options.out, options.sheets)


if __name__ == "__main__":
    main()
