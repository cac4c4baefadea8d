"""Trains the action recogniser on real motion capture and measures it by cross-validation.

    python experiments/train_recogniser.py --mocap FOLDER [--out trainings/recogniser]
        [--steps 600] [--seed 0] [--repeats 3]

First each independent group of recordings is tested once by networks that never saw it, with each
of some seeds, then the weights to ship learn from all clips. Leaves in OUT: `recogniser.md` and
`recogniser.png` (for `results/`), `model.safetensors` and `README.md` (for
`motiondistill/metrics/recogniser_weights/`).
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch
from recogniser.clips import Recording, recordings
from recogniser.folds import Prediction, cross_validate, folds_of
from recogniser.matrix import confusion_matrix
from recogniser.page import card, results_page
from recogniser.training import (
    BATCH,
    PARAMETRIC_SHARE,
    bank_of,
    parametric_recordings,
    train,
)
from safetensors.torch import save_file
from this_machine import this_machine
from torch import Tensor

from motiondistill.body.anny import anny_body
from motiondistill.metrics.recogniser import ActionNetwork


def main() -> None:
    """Cross-validates, trains on everything, and writes weights, card and page."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    rest = anny_body("low").rest_joints
    real, made = recordings(args.mocap, rest), parametric_recordings(rest, args.seed)
    print(f"{len(real)} recordings, {len(made)} parametric", flush=True)

    seeds = range(args.seed, args.seed + args.repeats)
    runs = [_tested(real, made, seed, args) for seed in seeds]
    network = train(bank_of([*real, *made]), args.seed, args.steps)
    weights = packed(network)
    save_file(weights, args.out / "model.safetensors")
    about: dict[str, object] = {
        "command": " ".join(["python", *_relative(sys.argv)]),
        "commit": _commit(),
        "seed": args.seed,
        "steps": args.steps,
    }
    parameters = sum(tensor.numel() for tensor in weights.values())
    text = card(real, made, about | {"parameters": parameters, "share": PARAMETRIC_SHARE})
    (args.out / "README.md").write_text(text)
    confusion_matrix(runs[0], args.out / "recogniser.png")
    machine = f"{this_machine()}, threads: {args.threads}"
    about |= {
        "batch": BATCH,
        "folds": len(folds_of(real)),
        "machine": f"{machine}, torch {torch.__version__}",
        "seconds": time.process_time(),
    }
    (args.out / "recogniser.md").write_text(results_page(runs, about, "recogniser.png"))


def packed(network: ActionNetwork) -> dict[str, Tensor]:
    """The weights in half precision; means and scales stay exact."""
    statistics = dict(network.named_buffers())
    return {
        name: tensor.contiguous() if name in statistics else tensor.half().contiguous()
        for name, tensor in network.state_dict().items()
    }


def _tested(
    real: list[Recording], made: list[Recording], seed: int, args: argparse.Namespace
) -> list[Prediction]:
    """The predictions of one cross-validation, also as a file of lines."""
    found: list[Prediction] = []
    for fold in cross_validate(real, made, seed, args.steps):
        found += fold
        right = sum(one.right for one in fold) / len(fold)
        groups = ", ".join(sorted({one.group for one in fold}))
        print(f"seed {seed}: {groups}: {right:.1%} of {len(fold)} windows", flush=True)
        lines = "\n".join(json.dumps(dataclasses.asdict(one)) for one in found)
        (args.out / f"predictions_{seed}.jsonl").write_text(lines + "\n")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--mocap", type=Path, required=True, help="folder with joints22/ and manifest.csv"
    )
    parser.add_argument("--out", type=Path, default=Path("trainings/recogniser"))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="seeds to cross-validate with")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _relative(arguments: list[str]) -> list[str]:
    """The command without this machine's folders."""
    hidden = {"--mocap": "FOLDER", "--out": "OUT"}
    return [arguments[0]] + [hidden.get(before, word) for before, word in pairwise(arguments)]


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
