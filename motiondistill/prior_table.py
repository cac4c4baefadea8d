"""What priors there are, and what each would take on this machine."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from rich.table import Table

from motiondistill.build_prior import make_placement, with_encoding
from motiondistill.prior_schema import PriorConfig
from motiondistill.priors.base import VideoFormat
from motiondistill.priors.costs import encoding_cost
from motiondistill.priors.families import FAMILIES
from motiondistill.priors.family import Checkpoint, Family
from motiondistill.priors.hub import EMBEDDED, cached
from motiondistill.priors.loading import EMBEDDED_PRIOR, family_of
from motiondistill.priors.memory import GIB, free_bytes
from motiondistill.priors.outline import outline


@final
@dataclass(frozen=True)
class Row:
    """One prior; what only its files tell is None where they are not here."""

    name: str
    family: str
    kind: str
    source: str
    licence: str
    native: VideoFormat
    parameters: int | None = None
    """Of the denoiser."""
    bytes: int | None = None
    """Weights, and the gradient of encoding one native clip, as configured."""
    state: str = "not downloaded"


def rows(config: PriorConfig) -> Iterator[Row]:
    """Every prior that has a short name, measured as configured where its files are here.

    Measures shapes alone: no weights are read, and nothing is downloaded.
    """
    shipped = family_of(EMBEDDED_PRIOR)
    row = Row(EMBEDDED, shipped.title, shipped.kind, "-", "Apache-2.0", shipped.native)
    yield _measured(row, config, EMBEDDED_PRIOR, None)
    for family in FAMILIES:
        for checkpoint in family.checkpoints:
            row = _known(family, checkpoint)
            try:
                folder = cached(checkpoint.hub_id)
                yield row if folder is None else _measured(row, config, folder, checkpoint)
            except (ValueError, FileNotFoundError) as error:
                yield dataclasses.replace(row, state=f"damaged: {error}")


def table(found: Iterator[Row], config: PriorConfig) -> Table:
    """The rows for the terminal."""
    free = free_bytes(torch.device(make_placement(config).device))
    room = "" if free is None else f", of {free / GIB:.1f} free"
    result = Table("name", "family", "parameters", "native clip", "rules", box=None, pad_edge=False)
    for heading in ("licence", f"memory{room}", "hub"):
        result.add_column(heading, overflow="fold")
    for row in found:
        result.add_row(
            row.name,
            row.family,
            "" if row.parameters is None else _count(row.parameters),
            _clip(row.native, row.kind),
            rules(row.native),
            row.licence,
            row.state if row.bytes is None else f"{row.bytes / GIB:.1f} GiB",
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
    return f"{frames}{most}, sides {native.size_step}k"


def _known(family: Family, checkpoint: Checkpoint) -> Row:
    return Row(
        checkpoint.name,
        family.title,
        family.kind,
        checkpoint.hub_id,
        f"{checkpoint.licence}{' (gated)' if checkpoint.gated else ''}",
        checkpoint.native,
    )


def _measured(row: Row, config: PriorConfig, folder: Path, checkpoint: Checkpoint | None) -> Row:
    placement = make_placement(config)
    sketch = outline(folder, placement, checkpoint)
    speech = sum(count for name, count in sketch.parameters.items() if name.startswith("text"))
    vae = sketch.parameters.get("vae", 0)
    denoiser = sum(sketch.parameters.values()) - speech - vae
    native = sketch.prior.format
    codec = with_encoding(config, sketch.prior).codec
    cost = encoding_cost(codec, native.frames, native.height, native.width)
    weights = denoiser * placement.dtype.itemsize + vae * placement.vae_dtype.itemsize
    return dataclasses.replace(
        row, native=native, parameters=denoiser, bytes=weights + cost.peak_bytes, state="here"
    )


def _count(number: int) -> str:
    return f"{number / 1e9:.2f} B" if number >= 1e8 else f"{number / 1e6:.1f} M"


def _clip(native: VideoFormat, kind: str) -> str:
    size = f"{native.height}x{native.width}"
    return size if kind == "image" else f"{native.frames}x{size} at {native.fps:g}/s"
