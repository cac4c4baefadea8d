"""What to do when the memory is too small, told by the keys that would help."""

import contextlib
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

import torch

from motiondistill.engine import parallel
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.stages import State
from motiondistill.latents.state import LatentState
from motiondistill.schema.jobs import LatentsConfig, OptimizeConfig, ProbeConfig

# How allocators say it that raise no error of their own: the CPU's, CUDA's libraries and MPS'.
_WORDS: Final = ("can't allocate memory", "out of memory", "alloc_failed")
_WANTED: Final = re.compile(r"tried to allocate ([\d.]+ ?\w+)", re.IGNORECASE)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocator failed, on any device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)


Config: TypeAlias = OptimizeConfig | LatentsConfig | ProbeConfig


@contextlib.contextmanager
def memory_told(config: Config, state: State | LatentState | None = None) -> Iterator[None]:
    """Within its `with`, too little memory is a MemoryError that tells which key to turn.

    The keys are those that help at the stage of the state, or without one at the start.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        place = "" if state is None else f" at step {state.step}"
        wanted = _WANTED.search(str(error))
        got = f"{wanted[1]} more were wanted" if wanted else "it ran out"
        first, *others = _remedies_of(config, state)
        then = f", then {', '.join(others)}" if others else ""
        raise MemoryError(
            f"The memory must hold {_needed(config)}, but {got}{place}; try {first}{then}."
        ) from error


def _needed(config: Config) -> str:
    if isinstance(config, ProbeConfig):
        return "the prior, its copies and what one clip asks of them"
    return "what one update needs"


def _remedies_of(config: Config, state: State | LatentState | None) -> list[str]:
    if isinstance(config, ProbeConfig):
        return remedies_of_probe(config)
    if isinstance(config, LatentsConfig):
        return remedies_of_clips(config, begun=state is not None)
    assert not isinstance(state, LatentState)
    return remedies(config, state)


def remedies_of_clips(config: LatentsConfig, *, begun: bool) -> list[str]:
    """What `remedies` tells, for clips: before their first update, when the video of the start is
    rendered, or since.
    """
    found, prior = [], config.prior
    if prior.batch_size != 1:
        found.append("prior.batch_size=1")
    if not begun and config.render.supersampling > 1:
        found.append(f"render.supersampling={config.render.supersampling // 2}")
    if begun and config.latents.space == "pixels" and prior.encode in ("graph", "checkpointed"):
        found.append("prior.encode=two_pass")
    if prior.device != "cpu" and prior.dtype == "float32":
        found.append("prior.dtype=bfloat16")
    if begun:
        found += _more_parts(config.score)
    return [*found, _smaller(config.camera.size)]


def remedies_of_probe(config: ProbeConfig) -> list[str]:
    """What `remedies` tells, for questions to a prior and its copies.

    All but the first need another folder, and all but `prior.encode` ask something else, too. One
    copy alone would tell nothing.
    """
    found, prior = [], config.prior
    if prior.batch_size != 1:
        found.append("prior.batch_size=1")
    if config.probe.null_copies > 0:
        fewer = config.probe.null_copies // 2
        found.append(f"probe.null_copies={fewer if fewer > 1 else 0}")
    if config.gradient.draws > 0:
        if prior.encode in ("graph", "checkpointed"):
            found.append("prior.encode=two_pass")
        found.append("gradient.draws=0")
    if config.render.supersampling > 1:
        found.append(f"render.supersampling={config.render.supersampling // 2}")
    if prior.device != "cpu" and prior.dtype == "float32":
        found.append("prior.dtype=bfloat16")
    return [*found, _smaller(config.camera.size)]


def remedies(config: OptimizeConfig, state: State | None) -> list[str]:
    """Settings that need less memory than these, those first that change the result least."""
    found, distilling = [], state is not None and state.stage == "distill"
    prior = config.prior
    if prior.batch_size != 1:
        found.append("prior.batch_size=1")
    if distilling and prior.encode in ("graph", "checkpointed"):
        found.append("prior.encode=two_pass")
    if config.render.supersampling > 1:
        found.append(f"render.supersampling={config.render.supersampling // 2}")
    if prior.device != "cpu" and prior.dtype == "float32":
        found.append("prior.dtype=bfloat16")
    if distilling:
        found += _fewer_at_once(config)
    elif config.init.start == "sampled":
        # Later in a fit, of each video's stances one is left anyway.
        if config.init.num_stances > 1 and (state is None or _several_stances(state)):
            found.append("init.num_stances=1")
        if config.init.num_samples > 1:
            found.append(f"init.num_samples={config.init.num_samples // 2}")
    return [*found, _smaller(config.camera.size)]


def _smaller(height_and_width: tuple[int, int] | None) -> str:
    size = "the prior's own size" if height_and_width is None else list(height_and_width)
    return f"a camera.size below {size}"


def _several_stances(state: State) -> bool:
    return state.targets is not None and len(state.fields) > len(state.targets)


def _fewer_at_once(config: OptimizeConfig) -> list[str]:
    """Views in more parts, and fewer frames for the prior of images."""
    found = _more_parts(config.score)
    images = config.image_prior
    if images.model is not None and images.frames > 1:
        found.append(f"image_prior.frames={images.frames // 2}")
    return found


def _more_parts(score: DistillSettings) -> list[str]:
    views, parts = score.views, score.accumulate
    more = [n for n in range(parts + 1, views + 1) if views % (n * parallel.size()) == 0]
    return [f"score.accumulate={more[0]}"] if more else []
