"""What pages are made of: sections, tables, facts and warnings, as HTML."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from motiondistill.report.documents import text


def chips(facts: Mapping[str, str], meanings: Mapping[str, str] = MappingProxyType({})) -> str:
    """Facts as items of a list; those with a meaning tell it under the mouse."""
    items = []
    for name, value in facts.items():
        title = f' title="{text(meanings[name])}"' if name in meanings else ""
        items.append(f"<li{title}>{text(name)} <b>{text(value)}</b></li>")
    return "".join(items)


def legend(meanings: Mapping[str, str]) -> str:
    """A sentence for each word."""
    return " ".join(f"{text(name)}: {text(meaning)}." for name, meaning in meanings.items())


def section(title: str, content: str) -> str:
    """HTML under a heading, which is HTML, too; nothing where there is no content."""
    return f"<section><h2>{title}</h2>{content}</section>" if content else ""


def folded(title: str, content: str) -> str:
    """HTML that is shown on demand."""
    return f"<details><summary>{text(title)}</summary>{content}</details>"


def warning(words: str) -> str:
    """Words that nobody should overlook; nothing for none."""
    return f'<p class="warning">{text(words)}</p>' if words else ""


def table(
    kind: str,
    heads: Sequence[str],
    lines: Sequence[Sequence[str]],
    numbers: Collection[int] = (),
) -> str:
    """Cells of HTML under words; the first of each line is its head.

    `kind` is the table's class in the page's style, and `numbers` are the columns, counted from 0,
    that are aligned on the right.
    """

    def cell(element: str, place: int, content: str) -> str:
        aligned = ' class="number"' if place in numbers else ""
        return f"<{element}{aligned}>{content}</{element.partition(' ')[0]}>"

    head = "".join(cell('th scope="col"', place, text(name)) for place, name in enumerate(heads))
    rows = "".join(
        f'<tr><th scope="row">{first}</th>'
        f"{''.join(cell('td', place, content) for place, content in enumerate(rest, 1))}</tr>"
        for first, *rest in lines
    )
    return (
        f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
