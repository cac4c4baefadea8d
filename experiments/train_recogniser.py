"""Trains the action recogniser on real motion capture and measures it by cross-validation.

    python experiments/train_recogniser.py --mocap FOLDER [--out trainings/recogniser]
        [--steps 300] [--seed 0]

First each independent group of recordings is tested once by a network that never saw it, then the
weights to ship learn from all clips. Leaves in OUT: `recogniser.md` and `recogniser.png` (for
`results/`), `model.safetensors` and `README.md` (for `motiondistill/metrics/recogniser_weights/`).
"""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch
from recogniser.clips import recordings
from recogniser.folds import Prediction, cross_validate, folds_of
from recogniser.page import card, confusion_matrix, results_page
from recogniser.training import (
    BATCH,
    PARAMETRIC_SHARE,
    bank_of,
    parametric_recordings,
    train,
)
from safetensors.torch import save_file

from motiondistill.body.anny import anny_body


def main() -> None:
    """Cross-validates, trains on everything, and writes weights, card and page."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    rest = anny_body("low").rest_joints
    real, made = recordings(args.mocap, rest), parametric_recordings(rest, args.seed)
    print(f"{len(real)} recordings, {len(made)} parametric", flush=True)

    found: list[Prediction] = []
    for fold in cross_validate(real, made, args.seed, args.steps):
        found += fold
        right = sum(one.right for one in fold) / len(fold)
        groups = ", ".join(sorted({one.group for one in fold}))
        print(f"{groups}: {right:.1%} of {len(fold)} windows", flush=True)
        lines = "\n".join(json.dumps(dataclasses.asdict(one)) for one in found)
        (args.out / "predictions.jsonl").write_text(lines + "\n")

    taught = [one for one in real if not one.odd]
    network = train(bank_of([*taught, *made]), args.seed, args.steps)
    weights = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, args.out / "model.safetensors")
    about: dict[str, object] = {
        "command": " ".join(["python", *_relative(sys.argv)]),
        "commit": _commit(),
        "seed": args.seed,
        "steps": args.steps,
    }
    parameters = sum(tensor.numel() for tensor in weights.values())
    text = card(taught, made, about | {"parameters": parameters, "share": PARAMETRIC_SHARE})
    (args.out / "README.md").write_text(text)
    counted = [one for one in found if not one.odd]
    confusion_matrix(counted, args.out / "recogniser.png")
    machine = f"{platform.machine()} ({os.cpu_count()} cores), threads: {args.threads}"
    about |= {
        "batch": BATCH,
        "folds": len(folds_of(real)),
        "machine": f"{machine}, torch {torch.__version__}",
        "seconds": time.process_time(),
    }
    (args.out / "recogniser.md").write_text(results_page(found, about, "recogniser.png"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--mocap", type=Path, required=True, help="folder with joints22/ and manifest.csv"
    )
    parser.add_argument("--out", type=Path, default=Path("trainings/recogniser"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
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
