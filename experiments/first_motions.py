"""Does a prompt alone make the motion? Four prompts, three seeds, two controls.

    python experiments/first_motions.py [--out runs/first_motions] [--seeds 0 1 2] [--only WEIGHTS]

Every run is `motiondistill optimize` with the default settings. Control 1 asks whether any prompt
would do: each motion is held against the signature of another prompt. Control 2 asks whether a
prior that knows nothing would do: the same runs with random denoiser weights. Finished runs are not
run again, and one that was killed goes on.

Writes results/first_motions.md. `--only pretrained` and `--only random` write no page: they are for
two processes side by side, each on its own core (OMP_NUM_THREADS=1), before the call that does.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imageio.v3
import numpy as np
from comparison.runs import optimized
from omegaconf import OmegaConf
from this_machine import this_machine

from motiondistill.metrics.signatures import SIGNATURES, Check
from motiondistill.motion.motion_file import load_motion
from motiondistill.prompts import slug

PROMPTS = tuple(SIGNATURES)
# The prompt whose signature the control holds against the motions of each.
FOLLOWING = dict(zip(PROMPTS, PROMPTS[1:] + PROMPTS[:1], strict=True))
RESULTS = Path("results")
Weights = Literal["pretrained", "random"]


@dataclass(frozen=True)
class Run:
    """One finished run and what its signatures say."""

    prompt: str
    seed: int
    weights: Weights
    folder: Path

    def checks(self, prompt: str) -> list[Check]:
        """The figures of this run's motion for the signature of `prompt`."""
        return SIGNATURES[prompt](load_motion(self.folder / "motion.npz").joints)

    def passes(self, prompt: str) -> bool:
        """Whether the motion bears the signature of `prompt`."""
        return all(check.passed for check in self.checks(prompt))


def carry_out(prompt: str, seed: int, weights: Weights, out: Path) -> Run:
    """Optimises, unless the run is finished; goes on with one that was interrupted."""
    folder = out / weights / f"{slug(prompt)}-{seed}"
    optimized(prompt, folder, [f"run.seed={seed}", f"prior.weights={weights}"])
    return Run(prompt, seed, weights, folder)


def contact_sheet(runs: list[Run], name: str) -> str:
    """The strips of several runs as one image, at half their size; returns its name."""
    strips = [imageio.v3.imread(run.folder / "strip.png")[::2, ::2] for run in runs]
    (RESULTS / "first_motions").mkdir(parents=True, exist_ok=True)
    imageio.v3.imwrite(RESULTS / "first_motions" / f"{name}.png", np.concatenate(strips))
    return f"first_motions/{name}.png"


def readme_image(runs: list[Run]) -> None:
    """For every prompt, the first passed run seen from the front: what the README shows."""
    rows = []
    for prompt in PROMPTS:
        candidates = [run for run in runs if run.prompt == prompt]
        shown = next((run for run in candidates if run.passes(prompt)), None)
        if shown is not None:
            strip = imageio.v3.imread(shown.folder / "strip.png")
            rows.append(strip[: len(strip) // 3])
    if rows:
        imageio.v3.imwrite(RESULTS / "first_motions" / "readme.png", np.concatenate(rows))


def table(runs: list[Run]) -> list[str]:
    """A row a run: every figure, and whether the signature is passed."""
    lines = ["| prompt | seed | passed | next prompt's | figures (bound) | seconds |"]
    lines.append("|---|---|---|---|---|---|")
    for run in runs:
        figures = "; ".join(
            f"{check.name} {check.value:.2f} ({'>' if check.above else '<'} {check.bound:g})"
            f"{'' if check.passed else ' ✗'}"
            for check in run.checks(run.prompt)
        )
        seconds = json.loads((run.folder / "metrics.json").read_text())["seconds"]
        own, other = ("yes" if run.passes(p) else "no" for p in (run.prompt, FOLLOWING[run.prompt]))
        lines.append(f"| {run.prompt} | {run.seed} | {own} | {other} | {figures} | {seconds:.0f} |")
    return lines


def sheets(runs: list[Run]) -> list[str]:
    """The strips of all runs, a contact sheet a prompt."""
    lines = []
    for prompt in PROMPTS:
        chosen = [run for run in runs if run.prompt == prompt]
        image = contact_sheet(chosen, f"{chosen[0].weights}-{slug(prompt)}")
        lines += [
            "",
            f"{prompt}, seeds {', '.join(str(run.seed) for run in chosen)}:",
            "",
            f"![]({image})",
        ]
    return lines


PAGE = """# First motions

One prompt in, one motion out, judged by signatures on joint positions
(`motiondistill/metrics/signatures.py`). All runs share the default settings and know nothing of the
action but the prompt. The embedded prior, though, learned these very actions from rendered motions:
this shows that the loop works, not what models trained on the web know.

| runs | pass | bar |
|---|---|---|
| embedded prior | **{passed} of {total}** | at least 5 of 12 |
| control: the next prompt's signature on these motions | {permuted} of {total} | at most 1 |
| control: random denoiser weights | {guessed} of {total} | at most 1 |

A run with a permuted prompt is the run of that other prompt with the same seed and settings, so it
is not run twice.

Command: `OMP_NUM_THREADS={threads} python experiments/first_motions.py`; seeds {seeds}; commit
{commit}; {machine}, threads: {threads}, torch {torch}.

## Embedded prior

{trained}

Rows: from the front, the front left and the left side; columns: eight of the frames.

## Random weights

{random}
"""


def write(trained: list[Run], random: list[Run]) -> None:
    """The results page."""
    configurations = [OmegaConf.load(run.folder / "config.yaml") for run in trained + random]
    configuration = configurations[0]
    figures = {
        "passed": sum(run.passes(run.prompt) for run in trained),
        "permuted": sum(run.passes(FOLLOWING[run.prompt]) for run in trained),
        "guessed": sum(run.passes(run.prompt) for run in random),
        "total": len(trained),
    }
    page = PAGE.format(
        **figures,
        seeds=", ".join(map(str, sorted({run.seed for run in trained}))),
        # More than one, if runs of different days stand together.
        commit=", ".join(sorted({str(each.about.commit) for each in configurations})),
        machine=this_machine(),
        threads=configuration.run.threads,
        torch=configuration.about.torch,
        trained="\n".join(table(trained) + sheets(trained)),
        random="\n".join(table(random) + sheets(random)),
    )
    (RESULTS / "first_motions.md").write_text(page, encoding="utf-8")
    readme_image(trained)
    print(figures)


def main() -> None:
    """All runs, trained first, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/first_motions"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", choices=["pretrained", "random"])
    options = parser.parse_args()
    wanted: tuple[Weights, ...] = (options.only,) if options.only else ("pretrained", "random")
    runs = {
        weights: [
            carry_out(prompt, seed, weights, options.out)
            for prompt in PROMPTS
            for seed in options.seeds
        ]
        for weights in wanted
    }
    if not options.only:
        write(runs["pretrained"], runs["random"])


if __name__ == "__main__":
    main()
