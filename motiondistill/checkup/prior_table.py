"""What priors there are, and what each would take on this machine."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from rich.table import Table

from motiondistill.building.prior import make_placement, with_encoding
from motiondistill.priors.base import VideoFormat
from motiondistill.priors.costs import encoding_cost
from motiondistill.priors.families import FAMILIES
from motiondistill.priors.family import Checkpoint, Family
from motiondistill.priors.gaussian_videos import NATIVE as GAUSSIAN_NATIVE
from motiondistill.priors.hub import GAUSSIAN, SHIPPED, cached
from motiondistill.priors.loading import family_of
from motiondistill.priors.memory import GIB, free_bytes
from motiondistill.priors.outline import Outline, outline, published_outline
from motiondistill.priors.placement import Placement
from motiondistill.priors.published import PUBLISHED
from motiondistill.schema.prior import PriorConfig

CAPTION: Final = (
    "Parameters are the denoiser's. GiB: the weights of denoiser and autoencoder, + the peak of "
    "encoding one native clip with its gradient, both as configured by prior.*; text encoders, the "
    "denoiser's activations, the workspace of kernels and the renderer come on top. *: by the "
    "published configuration, without the encoding, as the files are not here."
)


@final
@dataclass(frozen=True)
class Row:
    """One prior; what only its files tell is None or published where they are not here."""

    name: str
    family: str
    kind: str
    source: str
    """Where its files come from."""
    licence: str
    native: VideoFormat
    parameters: int | None = None
    """Of the denoiser."""
    weights: int | None = None
    """Bytes of denoiser and autoencoder, as configured."""
    encoding: int | None = None
    """Bytes at the peak of encoding one native clip and of its gradient, as configured."""
    state: str = "not downloaded"


def rows(config: PriorConfig) -> Iterator[Row]:
    """Every prior that has a name, measured as configured.

    Measures shapes alone: no weights are read, and nothing is downloaded. Where files are not here,
    parameters and weights are those of the published configuration.
    """
    for name, shipped in SHIPPED.items():
        kind = family_of(shipped)
        row = Row(name, kind.title, kind.kind, "-", "Apache-2.0", kind.native)
        yield _measured(row, config, shipped, None)
    # It has no weights, and its encoding keeps nothing.
    free = Row(GAUSSIAN, "in closed form", "video", "-", "Apache-2.0", GAUSSIAN_NATIVE)
    yield dataclasses.replace(free, parameters=0, weights=0, encoding=0, state="here")
    for family in FAMILIES:
        for checkpoint in family.checkpoints:
            row = _known(family, checkpoint)
            try:
                folder = cached(checkpoint.hub_id)
                if folder is not None:
                    row = _measured(row, config, folder, checkpoint)
            except (ValueError, FileNotFoundError) as error:
                row = dataclasses.replace(row, state=f"damaged: {error}")
            yield row if row.parameters else _published(row, config)
        for recipe in family.recipes:
            source = f"a folder by {recipe.how}"
            row = Row(recipe.name, family.title, family.kind, source, recipe.licence, recipe.native)
            yield _published(dataclasses.replace(row, state="to be made"), config)


def table(found: Iterator[Row], config: PriorConfig) -> Table:
    """The rows for the terminal."""
    free = free_bytes(torch.device(make_placement(config).device))
    room = "" if free is None else f", of {free / GIB:.1f} free"
    result = Table("name", "family", "parameters", "native clip", "rules", box=None, pad_edge=False)
    for heading in ("licence", f"GiB{room}", "state", "from"):
        result.add_column(heading, overflow="fold")
    result.caption, result.caption_justify = CAPTION, "left"
    for row in found:
        result.add_row(
            row.name,
            row.family,
            "" if row.parameters is None else _count(row.parameters),
            _clip(row.native, row.kind),
            rules(row.native),
            row.licence,
            _memory(row),
            row.state,
            row.source,
        )
    return result


def rules(native: VideoFormat) -> str:
    """The clips that a prior can take, in few words."""
    step, offset = native.frame_step, native.frame_offset
    if step == 0:
        frames = f"{offset} frame{'s' if offset != 1 else ''}"
    elif step == 1:
        frames = "any frames"
    else:
        frames = f"{step}k+{offset} frames" if offset else f"{step}k frames"
    most = "" if native.max_frames is None else f" to {native.max_frames}"
    sides = "any sides" if native.size_step == 1 else f"sides {native.size_step}k"
    return f"{frames}{most}, {sides}"


def _known(family: Family, checkpoint: Checkpoint) -> Row:
    return Row(
        checkpoint.name,
        family.title + (", guidance-distilled" if family.guidance_distilled else ""),
        family.kind,
        checkpoint.hub_id,
        f"{checkpoint.licence}{' (gated)' if checkpoint.gated else ''}",
        checkpoint.native,
    )


def _measured(row: Row, config: PriorConfig, folder: Path, checkpoint: Checkpoint | None) -> Row:
    placement = make_placement(config)
    sketch = outline(folder, placement, checkpoint)
    native = sketch.prior.format
    codec = with_encoding(config, sketch.prior).codec
    cost = encoding_cost(codec, native.frames, native.height, native.width)
    row = dataclasses.replace(row, encoding=cost.peak_bytes, state="here")
    return _with_sizes(row, sketch, placement)


def _published(row: Row, config: PriorConfig) -> Row:
    if row.name not in PUBLISHED:
        return row
    placement = make_placement(config)
    speech = [part for part in PUBLISHED[row.name].parts if part.startswith("text")]
    return _with_sizes(row, published_outline(row.name, placement, left_out=speech), placement)


def _with_sizes(row: Row, sketch: Outline, placement: Placement) -> Row:
    speech = sum(count for name, count in sketch.parameters.items() if name.startswith("text"))
    vae = sketch.parameters.get("vae", 0)
    denoiser = sum(sketch.parameters.values()) - speech - vae
    weights = denoiser * placement.dtype.itemsize + vae * placement.vae_dtype.itemsize
    native = sketch.prior.format
    return dataclasses.replace(row, native=native, parameters=denoiser, weights=weights)


def _memory(row: Row) -> str:
    if row.weights is None:
        return ""
    weights = f"{row.weights / GIB:.1f}"
    return f"{weights}*" if row.encoding is None else f"{weights} + {row.encoding / GIB:.1f}"


def _count(number: int) -> str:
    return f"{number / 1e9:.2f} B" if number >= 1e8 else f"{number / 1e6:.1f} M"


def _clip(native: VideoFormat, kind: str) -> str:
    size = f"{native.height}x{native.width}"
    return size if kind == "image" else f"{native.frames}x{size} at {native.fps:g}/s"
