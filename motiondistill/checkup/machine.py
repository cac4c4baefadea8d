"""What works on this machine, found by trying it, and what to do about the rest."""

import importlib
import importlib.util
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

import torch

from motiondistill.body.smplx_file import find_model
from motiondistill.building.objects import make_body, make_scene
from motiondistill.cameras import Orbit
from motiondistill.motion import hash_grid
from motiondistill.priors.embedding_cache import cache_folder
from motiondistill.priors.families import FAMILIES
from motiondistill.priors.hub import SHIPPED, cached
from motiondistill.priors.loading import load_prior
from motiondistill.priors.memory import GIB, free_bytes
from motiondistill.render import nvdiffrast
from motiondistill.report.media import save_video
from motiondistill.schema.look import BodyConfig, RenderConfig
from motiondistill.structures import Motion

State = Literal["works", "optional", "broken"]
SMPLX: Final = 'pip install "motiondistill[smplx]"'
REINSTALL: Final = "install motiondistill anew, into a fresh environment"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    """`optional` is not here, and the default settings need it not."""
    told: str
    remedy: str = ""
    """The line that would mend it; empty for what works or cannot be mended."""


def examine() -> Iterator[Finding]:
    """Everything, one by one; what takes seconds is tried, not guessed."""
    yield _versions()
    yield from _devices()
    yield _tried("body.name=anny", REINSTALL, _anny)
    yield _smplx()
    yield _tried("render.rasterizer=cpu", REINSTALL, _picture)
    yield _on_cuda(
        "render.rasterizer=nvdiffrast", "nvdiffrast", nvdiffrast.available(), nvdiffrast.INSTALL
    )
    for name in SHIPPED:
        yield _tried(f"prior.model={name}", REINSTALL, partial(_shipped, name))
    yield _downloaded()
    yield _on_cuda("tiny-cuda-nn", "tinycudann", hash_grid.available(), hash_grid.INSTALL)
    yield _library("score.objective=vsd", "peft", "lora")
    yield _library("view and run.live", "viser", "view")
    yield _tried("videos", "pip install --force-reinstall imageio-ffmpeg", _film)
    yield _tried("cache", "export MOTIONDISTILL_CACHE=FOLDER", _cache)


def _versions() -> Finding:
    here = f"Python {platform.python_version()}, torch {torch.__version__}"
    return Finding(f"motiondistill {version('motiondistill')}", "works", here)


def _devices() -> Iterator[Finding]:
    room = free_bytes(torch.device("cpu"))
    free = "" if room is None else f", {room / GIB:.1f} GiB free"
    yield Finding(
        "device cpu", "works", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads{free}"
    )
    for index in range(torch.cuda.device_count()):
        room = free_bytes(torch.device("cuda", index))
        told = f"{torch.cuda.get_device_name(index)}, {(room or 0) / GIB:.1f} GiB free"
        yield Finding(f"device cuda:{index}", "works", told)
    if not torch.cuda.is_available():
        built = torch.version.cuda
        told = f"torch is built for CUDA {built}, but finds no device" if built else "not in torch"
        yield Finding(
            "device cuda",
            "optional",
            told,
            "" if built else "take the build for your device: https://pytorch.org/get-started",
        )
    if torch.backends.mps.is_available():
        yield Finding("device mps", "works", "Apple's")


def _tried(name: str, remedy: str, attempt: Callable[[], str]) -> Finding:
    """What the attempt tells, or why it failed."""
    try:
        return Finding(name, "works", attempt())
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return Finding(name, "broken", " ".join(str(error).split()), remedy)


def _anny() -> str:
    body = make_body(BodyConfig())
    return f"{len(body(_standing()).vertices[0])} vertices"


def _standing() -> Motion:
    return Motion(torch.eye(3).repeat(1, 22, 1, 1), torch.tensor([[0.0, 0.9, 0.0]]), 8.0)


def _smplx() -> Finding:
    name = "body.name=smplx"
    if importlib.util.find_spec("smplx") is None:
        return Finding(name, "optional", "the package smplx is not here", SMPLX)
    try:
        path = find_model(os.environ.get("SMPLX_DIR"))
    except FileNotFoundError:
        told = "no model file; it is handed out at https://smpl-x.is.tue.mpg.de"
        return Finding(name, "optional", told, "export SMPLX_DIR=FOLDER")
    return _tried(name, "download the model anew", lambda: _loaded(path))


def _loaded(path: Path) -> str:
    body = make_body(BodyConfig(name="smplx", model_path=str(path)))
    return f"{path}, {len(body(_standing()).vertices[0])} vertices"


def _picture() -> str:
    body = make_body(BodyConfig())
    scene, orbit = make_scene(RenderConfig(), body), Orbit(size=(16, 16))
    picture = scene(body(_standing()), orbit(torch.zeros(1)))
    if not bool(picture.isfinite().all()):
        raise RuntimeError("its picture has pixels that are no numbers")
    return "drew a picture"


def _on_cuda(name: str, module: str, available: bool, install: str) -> Finding:
    """An optional library of CUDA kernels."""
    if available:
        return Finding(name, "works", "on CUDA devices")
    if importlib.util.find_spec(module) is not None:
        return Finding(name, "optional", "is here, but there is no CUDA device to work on")
    needs = "" if torch.cuda.is_available() else ", and needs a CUDA device"
    return Finding(name, "optional", f"is not here{needs}", install)


def _shipped(name: str) -> str:
    prior = load_prior(SHIPPED[name])
    native = prior.format
    clip = f"{native.frames} x {native.height} x {native.width}"
    return f"loaded, {clip} at {native.fps:g} frames a second"


def _downloaded() -> Finding:
    known = [checkpoint for family in FAMILIES for checkpoint in family.checkpoints]
    here = [checkpoint.name for checkpoint in known if cached(checkpoint.hub_id) is not None]
    if not here:
        told = f"none of {len(known)} is in the hub's cache; prior.model=NAME downloads it"
        return Finding("other priors", "optional", told, "motiondistill priors")
    return Finding("other priors", "works", f"{', '.join(here)} in the hub's cache")


def _library(name: str, package: str, extra: str) -> Finding:
    """An optional library for every machine."""
    install = f'pip install "motiondistill[{extra}]"'
    if importlib.util.find_spec(package) is None:
        return Finding(name, "optional", f"the package {package} is not here", install)
    return _tried(name, install, lambda: f"{importlib.import_module(package).__name__} imported")


def _film() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        save_video(path, torch.rand(4, 3, 32, 32, generator=torch.Generator()), 8.0)
        return f"wrote an mp4 of {path.stat().st_size} bytes"


def _cache() -> str:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return str(folder)
