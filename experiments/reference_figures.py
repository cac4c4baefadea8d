"""Measures real motion capture, for the traffic lights of reports.

    python experiments/reference_figures.py --mocap FOLDER [--out trainings/real_motion]

FOLDER is that of the embedded prior's training (`experiments/README.md`). Leaves `figures.json` and
its card, `README.md`, for `motiondistill/report/real_motion/`.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from motiondistill.atomic import write_text
from motiondistill.body.anny import anny_body
from motiondistill.bookkeeping.store import origin
from motiondistill.data.joints import JOINTS_FPS
from motiondistill.data.recordings import is_unfit, motion_of, neutral_poses, read_recordings
from motiondistill.data.windows import hold_in_place, resample
from motiondistill.metrics.catalogue import CATALOGUE
from motiondistill.report.figures import QUANTILES
from motiondistill.report.measuring import physical_measurements

# Hand-animated clips (m2m) are not recorded; those of c8 stand among CMU's own.
SOURCES = ("ad", "amp", "cmu", "dm")
UNLEVEL = ("climb", "mixed:playground")  # no floor at y = 0
RATES = (6, 8, 10, 12, 15, 20, 24, 30)
GROWS = "sliding_distance"  # with the length of a motion: windows tell nothing of it
SECONDS, MOST = 2.0, 8  # of a window, and windows of a clip
COMMAND = "python experiments/reference_figures.py --mocap FOLDER"
CARD = """# Card of the figures of real motion

What real people's motions measure, for the traffic lights of `report.html`: for every physical
metric of `motiondistill/metrics/catalogue.py` and for {rates} frames a second,
the quantiles {quantiles}.

**Data.** {windows} windows of {seconds:g} s from {clips} clips ({counts}), up to {most} a clip,
evenly spread, without climbing, which has no level floor; held in place, as a run's motions are,
and retargeted to the Anny body (low), which sets feet on the floor: so penetration and floating
are those of retargeted motion. At 8 frames a second:

| metric | unit | 10 % | median | 90 % |
|---|---|---|---|---|
{rows}

Sources: `cmu` CMU subjects 01-14 (free to use, not to resell), `amp` AMP's clips (BSD-3, CMU),
`dm` DeepMimic (MIT), `ad` AnimatedDrawings (MIT); `experiments/README.md` lists repositories and
commits. Nothing non-commercial went in. {cmu}
The figures are under Apache-2.0.

**Made by** `{command}`; commit {commit}.
"""
CMU = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created "
    "with funding from NSF EIA-0196217."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures every window at every rate, and writes the quantiles and their card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mocap", type=Path, required=True, help="joints22/ and manifest.csv")
    parser.add_argument("--out", type=Path, default=Path("trainings/real_motion"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    body, every = anny_body("low"), read_recordings(args.mocap)
    neutral = neutral_poses(every)
    clips = [
        clip
        for clip in every
        if clip.source in SOURCES and clip.label not in UNLEVEL and not is_unfit(clip)
    ]
    found: dict[int, list[dict[str, float | None]]] = {rate: [] for rate in RATES}
    used: Counter[str] = Counter()
    for clip in clips:
        longest = (len(clip.joints) - 1) / JOINTS_FPS - SECONDS
        if longest < 0:
            continue
        used[clip.source] += 1
        motion = motion_of(clip, neutral, body.rest_joints)
        for start in torch.linspace(0, longest, min(MOST, 1 + int(longest))).tolist():
            for rate in RATES:
                window = hold_in_place(resample(motion, start, rate, round(SECONDS * rate)))
                measured = physical_measurements(window, body)
                found[rate].append(
                    {each.metric.id: each.value for each in measured if each.metric.id != GROWS}
                )
    rates = {str(rate): _quantiles(values) for rate, values in found.items()}
    leave(args.out, used, rates, len(found[RATES[0]]))


def leave(
    folder: Path, used: Counter[str], rates: dict[str, dict[str, list[float]]], windows: int
) -> None:
    """Writes the figures and their card; `used` counts the clips of each source."""
    commit = origin("")["commit"]
    about = {"command": COMMAND, "commit": commit, "clips": dict(sorted(used.items()))}
    about |= {"windows": windows, "seconds": SECONDS, "data": CMU}
    folder.mkdir(parents=True, exist_ok=True)
    content = {"about": about, "quantiles": QUANTILES, "rates": rates}
    _write(folder / "figures.json", json.dumps(content, indent=1) + "\n")
    card = CARD.format(
        rates=", ".join(map(str, RATES)),
        quantiles=", ".join(f"{share:.0%}" for share in QUANTILES),
        windows=f"{windows:,}",
        seconds=SECONDS,
        clips=sum(used.values()),
        counts=", ".join(f"{count} of `{source}`" for source, count in sorted(used.items())),
        most=MOST,
        rows="\n".join(_row(rates["8"], name) for name in rates["8"]),
        cmu=CMU,
        command=COMMAND,
        commit=commit,
    )
    _write(folder / "README.md", card)


def _write(path: Path, text: str) -> None:
    write_text(path, text)


def _quantiles(values: Sequence[dict[str, float | None]]) -> dict[str, list[float]]:
    """The quantiles of every metric over the windows that have it."""
    shares, result = torch.tensor(QUANTILES), {}
    for name in values[0]:
        finite = [value[name] for value in values if value[name] is not None]
        result[name] = [
            float(f"{number:.4g}") for number in torch.tensor(finite).quantile(shares).tolist()
        ]
    return result


def _row(table: dict[str, list[float]], name: str) -> str:
    chosen = [f"{table[name][QUANTILES.index(share)]:.3g}" for share in (0.1, 0.5, 0.9)]
    return f"| {' | '.join((name, CATALOGUE[name].unit, *chosen))} |"


if __name__ == "__main__":
    main()
