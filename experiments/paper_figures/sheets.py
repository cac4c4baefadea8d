"""The figures as images, and the page that holds them: each script writes its own section."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from comparison.judged import Judged, judge
from comparison.pages import command_of, origin, picture, write
from comparison.runs import Run, Variant, carry_out, planned
from jaxtyping import Float
from torch import Tensor

from motiondistill.building.objects import make_body
from motiondistill.metrics.recogniser import load_recogniser
from motiondistill.report.latent_grid import Block, grid, row_of_strip
from motiondistill.report.results import STRIP_VIEWS
from motiondistill.schema.look import BodyConfig

PAGE_FILE: Final = Path("results/figures.md")
HEAD: Final = """# The paper's figures

The layouts of figures 1, 3 and 4 of *Towards motion from video diffusion models* (Janson et al.,
2024), with the priors that stand above the rows: what ours shows of the same prompts, not a
reproduction of theirs. Motions are named by the [recogniser](recogniser.md). The embedded prior is
small and learned from renders, so it is no evidence about models trained on the web.
"""
# Of a run's strip: from the front left, where a gait and a punch are seen alike.
_VIEW: Final = 1
_SECTION: Final = re.compile(r"^## Figure (\d+)\n", re.MULTILINE)


def options_of(
    document: str, out: str, arguments: Sequence[str] | None, *, config: bool = False
) -> argparse.Namespace:
    """What all three scripts can be told; `config` for a named configuration, too."""
    parser = argparse.ArgumentParser(
        description=document, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--priors", nargs="+", default=["embedded"])
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--seed", type=int, default=0)
    if config:
        parser.add_argument("--config")
    parser.add_argument("--set", dest="more", metavar="key=value", nargs="+", default=[])
    return parser.parse_args(arguments)


def distilled(number: int, actions: Sequence[str], caption: str, told: argparse.Namespace) -> None:
    """A figure of distilled motions: a block for each prior, a row for each action."""
    variants = [Variant(prior, (f"prior.model={prior}",)) for prior in told.priors]
    runs = carry_out(planned(variants, actions, [told.seed], told.out, told.more))
    judged = judge(runs, make_body(BodyConfig()), load_recogniser())
    blocks = [
        Block(
            variant.name, [_row(each) for each in judged if each.run.variant.name == variant.name]
        )
        for variant in variants
    ]
    write_figure(number, blocks, caption, runs, command(f"fig{number}.py", told))


def write_figure(
    number: int, blocks: Sequence[Block], caption: str, runs: Sequence[Run], called: str
) -> None:
    """The image, and its section on the page; other sections stay."""
    file = PAGE_FILE.with_name(f"fig{number}.png")
    picture(grid(blocks), file)
    told = f"{caption}\n\n![Figure {number}]({file.name})\n\n{origin(runs, called)}\n"
    before = PAGE_FILE.read_text(encoding="utf-8") if PAGE_FILE.is_file() else ""
    write(PAGE_FILE, with_section(before, number, told))


def with_section(page: str, number: int, content: str) -> str:
    """The page with the figure's section replaced or added; sections stand in order."""
    _, *parts = _SECTION.split(page)
    sections = dict(zip(map(int, parts[::2]), parts[1::2], strict=True)) | {number: f"\n{content}"}
    told = (f"## Figure {place}\n\n{sections[place].strip()}\n" for place in sorted(sections))
    return "\n".join([HEAD, *told])


def command(script: str, told: argparse.Namespace) -> str:
    """The command that makes the figure again."""
    usual = options_of("", f"runs/{Path(script).stem}", [], config=True)
    chosen = {
        name: given if isinstance(given, list) else [given]
        for name in ("priors", "out", "seed", "config")
        if (given := getattr(told, name, None)) != getattr(usual, name)
    }
    return command_of(script, told.more, chosen)


def _row(judged: Judged) -> tuple[str, Float[Tensor, "3 _ _"]]:
    strip = row_of_strip(judged.run.folder / "strip.png", _VIEW, len(STRIP_VIEWS))
    return f"{judged.run.prompt}: seen as {judged.words}", strip
