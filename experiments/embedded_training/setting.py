"""What both trainings share: their arguments, their folders, and the machine."""

import argparse
import json
import logging
from pathlib import Path

import torch
from accelerate import Accelerator

from embedded_training.loop import make_accelerator
from embedded_training.stage import Rhythm
from motiondistill.atomic import write_text


def add_arguments(parser: argparse.ArgumentParser, *, out: str, steps: int, batch: int) -> None:
    """The arguments of every training, with these defaults."""
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-steps", type=int, default=500, help="also saved every 5 minutes")
    parser.add_argument("--look-steps", type=int, default=1000, help="validation, samples, export")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="a tenth faster, a minute to start")


def begin(args: argparse.Namespace) -> tuple[Accelerator, Rhythm]:
    """The machine as the arguments want it; what they were is kept in `OUT/arguments.json`.

    On a CPU a run can be repeated bit for bit with the same number of threads.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(args.threads)
    if args.device == "cpu":
        torch.use_deterministic_algorithms(True)
        # Only a debugging aid, and it would fill every new tensor.
        torch.utils.deterministic.fill_uninitialized_memory = False
    accelerator = make_accelerator(args.device)
    if accelerator.is_main_process:
        args.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(vars(args), default=str, indent=2) + "\n"
        path = args.out / "arguments.json"
        write_text(path, text)
    rhythm = Rhythm(save_steps=args.save_steps, look_steps=args.look_steps)
    return accelerator, rhythm
