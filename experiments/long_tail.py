"""Do common actions work and rare ones fail because of the video model? Priors that differ in that.

    python experiments/long_tail.py [--out trainings/long_tail] [--seeds 0 1] [--part 1/2]
        [--only SEED-ROW ...] [--base-steps N] [--steps N] [--runs 0 1] [--groups 1]
        [--set key=value ...]

For each seed a base learns what a person looks like, and five models go on from it, on sets in
which three actions have 0, 4, 16, 64 and 256 clips by a Latin square. Of every model and action it
asks the forward probe, samples clips and fits a body to them, and distils motions. Clips, trainings
and figures that lie in OUT are not made again, and trainings go on where they were left, bit for
bit with the same number of threads.

Writes results/long_tail.md. `--part 1/2` does the first of two shares of the seeds and `--only`
some models; both write no page. Processes side by side, each on its own core (OMP_NUM_THREADS=1),
must not share a seed until all its models are trained. `--runs` are the seeds of the distillations,
`--groups` how many groups of three samples there are, and `--set` is for all distillations.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from comparison.pages import command_of
from long_tail_parts.design import Model, square
from long_tail_parts.measures import Asking, find, true_clips
from long_tail_parts.page import write_page
from long_tail_parts.training import School, Schooling
from objectives import share

from motiondistill.building.objects import make_body
from motiondistill.metrics.recogniser import load_recogniser
from motiondistill.schema.look import BodyConfig


def trained(models: Sequence[Model], out: Path, schooling: Schooling) -> dict[Model, Path] | None:
    """The folders of these models, trained with their bases; None if a training was stopped."""
    body, places = make_body(BodyConfig()), {}
    for seed in dict.fromkeys(model.seed for model in models):
        school = School(out, seed, schooling, body)
        for model in (None, *(model for model in models if model.seed == seed)):
            if not school.train(model):
                return None
            if model is not None:
                places[model] = school.place(model)
    return places


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual, asked = Schooling(), Asking()
    parser.add_argument("--out", type=Path, default=Path("trainings/long_tail"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--part", type=share)
    parser.add_argument("--only", nargs="+", metavar="SEED-ROW")
    parser.add_argument("--base-steps", type=int, default=usual.base_steps)
    parser.add_argument("--steps", type=int, default=usual.steps)
    parser.add_argument("--runs", type=int, nargs="+", default=list(asked.seeds))
    parser.add_argument("--groups", type=int, default=asked.groups)
    parser.add_argument("--set", dest="more", metavar="key=value", nargs="+", default=[])
    options = parser.parse_args(words)
    known = [model.name for seed in options.seeds for model in square(seed)]
    for name in options.only or ():
        if name not in known:
            parser.error(f"--only must be among {', '.join(known)}, got {name}; name another")
    if not chosen(options):
        place, count = options.part
        got = f"{place + 1}/{count} of seeds {' '.join(map(str, options.seeds))}"
        parser.error(
            f"--part must be a share with models to make, got {got}"
            + (f" and --only {' '.join(options.only)}" if options.only else "")
            + "; take fewer shares, or name another"
        )
    return options


def chosen(options: argparse.Namespace) -> list[Model]:
    """The models that are asked for."""
    place, count = options.part or (0, 1)
    return [
        model
        for seed in options.seeds[place::count]
        for model in square(seed)
        if not options.only or model.name in options.only
    ]


def command(options: argparse.Namespace) -> str:
    """The call that makes the page with these options, of which it names those that are not usual.

    `--part` and `--only`, which make no page, are left out.
    """
    usual, given = vars(parse([])), vars(options)
    chosen = {
        name.replace("_", "-"): given[name] if isinstance(given[name], list) else [given[name]]
        for name in ("out", "seeds", "base_steps", "steps", "runs", "groups")
        if given[name] != usual[name]
    }
    return command_of("long_tail.py", options.more, chosen)


def main(words: Sequence[str] | None = None) -> None:
    """Trains, measures, and writes the page."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    options = parse(words)
    schooling = Schooling(base_steps=options.base_steps, steps=options.steps)
    places = trained(chosen(options), options.out, schooling)
    if places is None:
        raise SystemExit("stopped; the same command goes on with the trainings")
    asking = Asking(options.groups, tuple(options.runs), tuple(options.more))
    recogniser = load_recogniser()
    findings = find(places, asking, recogniser)
    if options.part or options.only:
        return
    truth, problem = true_clips(options.out / "true-clips", recogniser)
    write_page(findings, [each.right for each in truth], problem, schooling, command(options))


if __name__ == "__main__":
    main()
