"""Computes the pose statistics that come with the package, from free motion capture.

    python experiments/pose_statistics.py --mocap FOLDER [--out trainings/pose_statistics]

FOLDER is that of the embedded prior's training (`experiments/README.md`), and so are the windows:
those in which recordings clearly show an action. Leaves `model.safetensors` and its card,
`README.md`, for `motiondistill/motion/pose_statistics/`.
"""

import argparse
import math
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.body.anny import anny_body
from motiondistill.data.captions import ACTIONS
from motiondistill.data.cuts import Window
from motiondistill.data.dataset import mocap_windows
from motiondistill.data.joints import JOINTS_FPS, read_joint_clips
from motiondistill.data.windows import mirrored
from motiondistill.motion.statistics import (
    GENERIC,
    PoseStatistics,
    pose_statistics,
    save_statistics,
)

FPS, FRAMES = 8.0, 16  # windows as long as the embedded prior's clips
COMMAND = "python experiments/pose_statistics.py --mocap FOLDER"
CARD = """# Card of the pose statistics

Mean rotation and spread of the 21 joints below the pelvis, of all actions together (`generic`: mean
and covariance) and of single actions (mean and standard deviations): {size:,} bytes of float32
safetensors. `motiondistill/motion/statistics.py` reads them and says what the numbers are.

**What they are for.** `generic` knows how people hold themselves, and no action from another. The
statistics of one action are what the paper starts from and keeps to. They **know the answer**: a
run with `field.statistics=action` says so in its `config.yaml` and `metrics.json`.

**Data.** {clips} clips of {seconds:,.0f} s, of which {windows:,} windows of 2 s ({frames} frames at
{fps:g} a second, many overlapping) clearly show an action, as the embedded prior learns them
(`motiondistill/data/dataset.py`); each with its mirror image. The frames of a clip count alike, the
clips of an action alike, and for `generic` the actions alike. A clip that shows several actions
counts for each. No parametric motion went in, so actions without such windows have no statistics:
{without}.

| action | clips | windows | seconds of the clips | sources | spread, degrees |
|---|---|---|---|---|---|
{rows}

Spread: the root of the mean over joints of the squared angle from the mean rotation.

Sources: `cmu` CMU subjects 01-14 (free to use, not to resell), `c8` "CMU 8 actions" (MIT, CMU),
`amp` AMP's clips (BSD-3, CMU), `dm` DeepMimic (MIT), `ad` AnimatedDrawings (MIT), `m2m`
Mesh2Motion (CC0); `experiments/README.md` lists repositories and commits. Nothing non-commercial
went in. The data used in this project was obtained from mocap.cs.cmu.edu. The database was created
with funding from NSF EIA-0196217. The statistics are under Apache-2.0.

**Limits.** The recordings are joint positions. The twists of wrists and toes are not in them, and
`dm` and `amp` also lack collars and feet, which count as neutral. A spread below 0.05 radians is
read as 0.05. Actions of one or two clips have the statistics of these clips.

**Made by** `{command}`; commit {commit}.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Cuts the windows, computes the statistics, and writes file and card."""
    args = _arguments(arguments)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    grouped = by_clip(mocap_windows(args.mocap, anny_body("low").rest_joints, FPS, FRAMES))
    lengths = clip_seconds(args.mocap)
    counts = {action: _counts(clips, lengths) for action, clips in grouped.items()}
    every = all_statistics(grouped)
    about = {"command": COMMAND, "commit": _commit(), "actions": counts}
    path = args.out / "model.safetensors"
    save_statistics(path, every, about)
    used = {clip for clips in grouped.values() for clip in clips}
    text = CARD.format(
        size=path.stat().st_size,
        clips=len(used),
        seconds=sum(lengths[clip] for clip in used),
        windows=sum(count["windows"] for count in counts.values()),
        frames=FRAMES,
        fps=FPS,
        without=", ".join(f'"{action}"' for action in ACTIONS if action not in grouped),
        rows="\n".join(_row(name, counts[name], every[name]) for name in grouped),
        command=COMMAND,
        commit=about["commit"],
    )
    (args.out / "README.md").write_text(text)


def by_clip(windows: Sequence[Window]) -> dict[str, dict[str, list[Window]]]:
    """For each action, in the order of the alphabet, the windows of each clip."""
    grouped: dict[str, dict[str, list[Window]]] = {}
    for window in sorted(windows, key=lambda window: window.action):
        grouped.setdefault(window.action, {}).setdefault(window.clip, []).append(window)
    return grouped


def all_statistics(
    grouped: Mapping[str, Mapping[str, Sequence[Window]]],
) -> dict[str, PoseStatistics]:
    """The statistics of every action, and of all together with equal weights."""
    drawn = {action: _poses(clips) for action, clips in grouped.items()}
    every = {action: pose_statistics(*drawn[action]) for action in drawn}
    poses = torch.cat([poses for poses, _ in drawn.values()])
    weights = torch.cat([weights for _, weights in drawn.values()])
    return {GENERIC: pose_statistics(poses, weights), **every}


def _poses(
    clips: Mapping[str, Sequence[Window]],
) -> tuple[Float[Tensor, "poses below 3 3"], Float[Tensor, " poses"]]:
    """All frames of an action and of their mirror images; weights add to one, clips count alike."""
    poses, weights = [], []
    for windows in clips.values():
        both = [motion for w in windows for motion in (w.motion, mirrored(w.motion))]
        frames = torch.cat([motion.rotations[:, 1:] for motion in both])
        poses.append(frames)
        weights.append(torch.full((len(frames),), 1 / len(frames) / len(clips)))
    return torch.cat(poses), torch.cat(weights)


def clip_seconds(folder: Path) -> dict[str, float]:
    """Seconds of every clip by its source and name, without what is cut out round faults."""
    seconds: dict[str, float] = {}
    for clip in read_joint_clips(folder):
        name = clip.full_name
        seconds[name] = seconds.get(name, 0.0) + len(clip.joints) / JOINTS_FPS
    return seconds


def _counts(clips: Mapping[str, Sequence[Window]], lengths: Mapping[str, float]) -> dict[str, Any]:
    """How much was recorded of an action."""
    return {
        "clips": len(clips),
        "windows": sum(map(len, clips.values())),
        "seconds": round(sum(lengths[clip] for clip in clips), 1),
        "sources": sorted({clip.split("/")[0] for clip in clips}),
    }


def _row(action: str, counts: Mapping[str, Any], statistics: PoseStatistics) -> str:
    """The action's line in the card."""
    joints = len(statistics.mean)
    spread = math.degrees(math.sqrt(float(statistics.covariance.trace()) / joints))
    return (
        f"| {action} | {counts['clips']} | {counts['windows']} | {counts['seconds']:.0f} | "
        f"{', '.join(counts['sources'])} | {spread:.1f} |"
    )


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--mocap", type=Path, required=True, help="folder with joints22/ and manifest.csv"
    )
    parser.add_argument("--out", type=Path, default=Path("trainings/pose_statistics"))
    return parser.parse_args(arguments)


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
