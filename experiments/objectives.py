"""Which way to distil is best? Objectives, starts, guidance and schedules, one change at a time.

    python experiments/objectives.py [--image MODEL] [--out runs/objectives] [--seeds 0 1 2]
        [--part 1/2] [--set key=value ...]

Every run is `motiondistill optimize` with the defaults and what the table names. All variants are
screened on two prompts that no result is reported for, with the first seed. The best four are
compared on six others with every seed, beside the default and the shorter distillation that the
others change. With `--image`, the name or folder of an image prior, a table of its own holds the
default beside that prior alone and both priors together, with the first seed. Variants that differ
only in how they distill share their starts. Runs that are finished are not run again. `--set` is
for all.

Writes results/objectives.md. `--part 1/2` does the first of two shares of the prompts and writes no
page: for processes side by side, each on its own core (OMP_NUM_THREADS=1). It compares only once
all shares are screened: call it again then, and at the end without it for the page.
"""

import argparse
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Final

from comparison.asked import COMPARED, DEVELOPMENT
from comparison.judged import FIGURES, Judged, in_cells, judge, medians, merit
from comparison.pages import command_of, origin, sheet, table, write
from comparison.runs import DISTILLED_ALONE, Variant, carry_out, finished, planned, prompt_of
from prior_evidence.judged import rate

from motiondistill.building.objects import make_body
from motiondistill.metrics.recogniser import load_recogniser
from motiondistill.prompts import slug
from motiondistill.schema.look import BodyConfig

PAGE_FILE: Final = Path("results/objectives.md")
BEST: Final = 4
DEFAULT: Final = Variant("default")


SHORTER: Final = Variant("shorter", ("score.num_steps=60",))
"""What all others change, but for the default and those that distill alone."""


def changed(name: str, *settings: str) -> Variant:
    """The shorter distillation with these settings."""
    return Variant(name, (*settings, *SHORTER.settings))


def guided(name: str, scale: float, *more: str) -> Variant:
    """An objective with the guidance that its authors recommend, or near it."""
    settings = (f"score.objective={name}", f"score.guidance_scale={scale:g}", *more)
    return changed(" ".join([name, *more]).replace("score.", ""), *settings)


SCREENED: Final[dict[str, tuple[Variant, ...]]] = {
    "objective": (
        SHORTER,
        guided("sds", 30),
        guided("sds", 30, "score.weighting=x0"),
        guided("sds", 30, "score.weighting=velocity"),
        guided("sds", 30, "score.weighting=flow"),
        guided("nfsd", 7.5),
        guided("dds", 7.5),
        guided("moving_minus_static", 7.5),
        guided("multi_step", 7.5),
        guided("sdi", 7.5),
        guided("vsd", 7.5),
    ),
    "start": (
        DEFAULT,
        Variant("neutral", DISTILLED_ALONE),
        Variant("mean pose", (*DISTILLED_ALONE, "field.start=mean")),
        changed("eight samples", "init.num_samples=8"),
    ),
    "guidance": (
        changed("guidance 2", "score.guidance_scale=2"),
        changed("guidance 8", "score.guidance_scale=8"),
        changed("falling", "score.guidance_scale=8", "score.last_guidance_scale=2"),
        changed("from no text", "score.guidance_base=empty"),
        changed("away from other views", "score.avoid_other_views=true"),
        changed("amplified", "score.motion_amplification=2"),
    ),
    "schedule": (
        changed("square root", "score.level_path=sqrt"),
        changed("inverse cdf", "score.level_path=inverse_cdf"),
        changed(
            "uniform", "score.level_path=uniform", "score.first_level=0.98", "score.last_level=0.02"
        ),
        changed("down to 0.3", "score.last_level=0.3"),
        changed("antithetic", "score.level_draw=antithetic"),
        changed("three updates a target", "score.updates_per_target=3"),
        changed("eight views", "score.views=8"),
    ),
}

PAGE: Final = """# Objectives, starts, guidance and schedules

Every row is the default but for the settings it names. Screened was with the shorter distillation,
the default until then. Motions are judged by the
[recogniser](recogniser.md), which learned from motion capture. Variants are ranked by how many of
their motions are recognised, then by the mean probability of the action that was asked for. All
runs use the embedded prior{images}.

## The best on six prompts

{compared}

**{verdict}** Prompts: {prompts}. Intervals are Wilson's, for 95 of 100; figures are medians.

{about}
{priors}
## Screening

On two prompts that no result is reported for ({development}), with one seed. The best {best} went
to the comparison above.

{screened}

## All compared motions

From the front, failures first, each with what it was recognised as.

{sheets}
"""


PRIORS: Final = """
## Video prior, image prior, both

On the same six prompts, with the first seed. An image prior knows no motion to start from, so alone
it begins with a motionless body.

{table}
"""


def priors(image: str) -> tuple[Variant, ...]:
    """The image prior alone, which knows no motion to start from, and beside the video prior."""
    return (
        Variant("image prior", (f"prior.model={image}", *DISTILLED_ALONE)),
        Variant("both priors", (f"image_prior.model={image}",)),
    )


def by_variant(judged: Sequence[Judged]) -> dict[Variant, list[Judged]]:
    """The motions of each variant, the best variant first."""
    grouped: dict[Variant, list[Judged]] = {}
    for each in judged:
        grouped.setdefault(each.run.variant, []).append(each)
    return dict(sorted(grouped.items(), key=lambda item: merit(item[1]), reverse=True))


def comparison_table(judged: Sequence[Judged]) -> str:
    """A row for each variant, the best first."""
    rows = []
    for variant, these in by_variant(judged).items():
        figures = in_cells(medians([each.plausible for each in these]))
        rows.append(
            (
                variant.name,
                f"`{' '.join(variant.settings)}`" if variant.settings else "",
                rate([each.right for each in these]),
                rate([each.among_three for each in these]),
                f"{mean(each.probability for each in these):.2f}",
                *figures,
                f"{median(each.run.seconds for each in these):.0f}",
            )
        )
    head = ("variant", "settings", "recognised", "among three", "probability", *FIGURES, "seconds")
    return table(head, rows)


def verdict(ranked: Mapping[Variant, Sequence[Judged]]) -> str:
    """What the comparison says of the default; `ranked` is in the order of `by_variant`."""
    hits = {variant: mean(each.right for each in these) for variant, these in ranked.items()}
    better = [variant.name for variant in itertools.takewhile(DEFAULT.__ne__, ranked)]
    alike = [
        variant.name
        for variant in ranked
        if hits[variant] == hits[DEFAULT] and variant.name not in (*better, DEFAULT.name)
    ]
    told = f"Better than the default: {', '.join(better)}." if better else "The default is best."
    return f"{told} As many are recognised with {', '.join(alike)}." if alike else told


def write_page(
    screened: Sequence[Judged], compared: Sequence[Judged], imaged: Sequence[Judged], command: str
) -> None:
    """The page with a sheet for each compared variant; `imaged` used an image prior, if any did."""
    folder, blocks = PAGE_FILE.with_suffix(""), []
    for variant, these in by_variant([*compared, *imaged]).items():
        file = folder / f"{slug(variant.name)}.png"
        sheet(these, file)
        hits = sum(each.right for each in these)
        image = f"{folder.name}/{file.name}"
        blocks.append(f"{variant.name}, {hits} of {len(these)}:\n\n![]({image})")
    seeds = {each.run.seed for each in imaged}
    alike = [e for e in compared if e.run.variant == DEFAULT and e.run.seed in seeds]
    text = PAGE.format(
        images=", but for those that name another" if imaged else "",
        priors=PRIORS.format(table=comparison_table([*alike, *imaged])) if imaged else "",
        compared=comparison_table(compared),
        verdict=verdict(by_variant(compared)),
        prompts="; ".join(prompt_of(action) for action in COMPARED),
        about=origin([each.run for each in (*screened, *compared, *imaged)], command),
        development="; ".join(prompt_of(action) for action in DEVELOPMENT),
        best=BEST,
        screened=comparison_table(screened),
        sheets="\n\n".join(blocks),
    )
    write(PAGE_FILE, text)


def share(text: str) -> tuple[int, int]:
    """`2/3` is the second of three shares: its place from zero, and how many there are.

    Raises argparse.ArgumentTypeError for what is none.
    """
    place, _, count = text.partition("/")
    if not (place.isdecimal() and count.isdecimal() and 0 < int(place) <= int(count)):
        raise argparse.ArgumentTypeError(f"must be a share such as 1/2, got {text}; name another")
    return int(place) - 1, int(count)


def main(arguments: Sequence[str] | None = None) -> None:
    """Screens, compares, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--image", metavar="MODEL")
    parser.add_argument("--out", type=Path, default=Path("runs/objectives"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--part", type=share)
    parser.add_argument("--set", dest="more", metavar="key=value", nargs="+", default=[])
    options = parser.parse_args(arguments)
    place, count = options.part or (0, 1)
    out, more, starts = options.out, options.more, options.out / "starts"

    variants = [variant for group in SCREENED.values() for variant in group]
    carry_out(planned(variants, DEVELOPMENT[place::count], options.seeds[:1], out, more), starts)
    runs = planned(variants, DEVELOPMENT, options.seeds[:1], out, more)
    if not all(finished(run.prompt, run.folder, runs[run]) for run in runs):
        print("screened; the other shares have not")
        return
    body, recogniser = make_body(BodyConfig()), load_recogniser()
    screened = judge(runs, body, recogniser)

    chosen = dict.fromkeys([*list(by_variant(screened))[:BEST], DEFAULT, SHORTER])
    imaged = priors(options.image) if options.image else ()

    carry_out(planned(chosen, COMPARED[place::count], options.seeds, out, more), starts)
    carry_out(planned(imaged, COMPARED[place::count], options.seeds[:1], out, more), starts)
    if options.part:
        return
    runs, others = (
        judge(planned(variants, COMPARED, seeds, out, more), body, recogniser)
        for variants, seeds in ((chosen, options.seeds), (imaged, options.seeds[:1]))
    )
    image = f" --image {options.image}" if options.image else ""
    command = command_of(f"objectives.py{image}", more)
    write_page(screened, runs, others, command)


if __name__ == "__main__":
    main()
