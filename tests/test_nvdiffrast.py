"""The adapter to nvdiffrast: against a stand-in anywhere, and against the library on a GPU."""

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import pytest
import standin_nvdiffrast
import torch
from solids import gradients, random_scene, relative
from tiny_ltx import save_tiny
from torch import Tensor

from motiondistill.building.objects import make_rasterizer
from motiondistill.cli import main
from motiondistill.render import nvdiffrast
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.nvdiffrast import NvdiffrastRasterizer
from motiondistill.render.reference import ReferenceRasterizer
from motiondistill.schema.look import RenderConfig

REFERENCE = ReferenceRasterizer()
# The same formulas, in another order where depth is interpolated.
FLOAT32, GRADIENT = 1e-5, 1e-3
# The library rounds vertices to 1/16 of a pixel before it decides what a pixel sees.
TIES, INTERPOLATED = 0.02, 1e-4


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """nvdiffrast's stand-in, and a CUDA device that is the CPU."""
    for name, module in standin_nvdiffrast.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture
def adapter(library: None) -> NvdiffrastRasterizer:
    return NvdiffrastRasterizer("cpu")


@pytest.mark.parametrize("seed", range(20))
def test_gives_the_reference_s_images_and_gradients(
    adapter: NvdiffrastRasterizer, seed: int
) -> None:
    found, expected = (gradients(r, seed, torch.float32) for r in (adapter, REFERENCE))
    assert torch.equal(found[0][..., 3], expected[0][..., 3])
    for value, wanted in zip(found[:2], expected[:2], strict=True):
        assert (value - wanted).abs().max() < FLOAT32
    for value, wanted in zip(found[2:], expected[2:], strict=True):
        assert relative(value, wanted) < GRADIENT


def test_takes_any_precision_index_type_and_memory_order(adapter: NvdiffrastRasterizer) -> None:
    pos, tri, color = random_scene(0, torch.float64)
    strided = pos.transpose(0, 1).contiguous().transpose(0, 1).requires_grad_()
    assert not strided.is_contiguous() and tri.dtype == torch.int64
    rast = adapter.rasterize(strided, tri.T.contiguous().T, (5, 6))
    image = adapter.interpolate(color[:1, :, ::2], rast, tri)
    image = adapter.antialias(image, rast, strided, tri)
    places = adapter.interpolate(color[..., 1:], rast, tri)
    texels = adapter.texture(image[:1].transpose(1, 2), places, "clamp")
    for result in (rast, image, texels):
        assert result.dtype == torch.float64 and result.device == pos.device
    expected = REFERENCE.rasterize(pos, tri, (5, 6))
    assert (rast - expected).abs().max() < FLOAT32
    (gradient,) = torch.autograd.grad(texels.sum(), strided)
    assert gradient.dtype == torch.float64 and gradient.abs().max() > 0


def test_textures_are_the_reference_s(adapter: NvdiffrastRasterizer) -> None:
    generator = torch.Generator().manual_seed(0)
    tex = torch.rand(2, 4, 5, 3, generator=generator)
    uv = torch.rand(2, 6, 7, 2, generator=generator) * 3 - 1
    for boundary in ("wrap", "clamp"):
        found, expected = (r.texture(tex, uv, boundary) for r in (adapter, REFERENCE))
        assert torch.equal(found, expected)
    assert torch.equal(adapter.texture(tex, uv), adapter.texture(tex, uv, "wrap"))


def test_meshes_without_triangles(adapter: NvdiffrastRasterizer) -> None:
    pos, tri = torch.zeros(2, 3, 4), torch.zeros(0, 3).long()
    rast = adapter.rasterize(pos, tri, (4, 5))
    image = adapter.interpolate(torch.ones(1, 3, 2), rast, tri)
    image = adapter.antialias(image, rast, pos, tri)
    assert rast.shape == (2, 4, 5, 4) and image.shape == (2, 4, 5, 2)
    assert rast.abs().max() == 0 and image.abs().max() == 0


def test_errors_name_the_argument(adapter: NvdiffrastRasterizer) -> None:
    with pytest.raises(ValueError, match=r"`resolution` must be at least 1 x 1, got 4 x 0"):
        adapter.rasterize(torch.zeros(1, 3, 4), torch.tensor([[0, 1, 2]]), (4, 0))


def test_without_the_library_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "nvdiffrast", None)
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", None)
    install = r"pip install git\+https://github.com/NVlabs/nvdiffrast"
    with pytest.raises(ImportError, match=rf"not installed; run `{install}.*non-commercial.* cpu"):
        make_rasterizer(RenderConfig(rasterizer="nvdiffrast"))
    assert not nvdiffrast.available()
    assert isinstance(make_rasterizer(RenderConfig(rasterizer="auto")), CpuRasterizer)


def test_without_a_device_the_error_says_so(library: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device; choose cpu"):
        make_rasterizer(RenderConfig(rasterizer="nvdiffrast"))
    assert isinstance(make_rasterizer(RenderConfig(rasterizer="auto")), CpuRasterizer)


def test_a_run_without_a_device_is_refused_in_a_line_and_leaves_no_folder(
    library: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    folder, prior = tmp_path / "run", save_tiny(tmp_path / "prior")
    wanted = ["render.rasterizer=nvdiffrast", f"prior.model={prior}", "camera.size=[32,32]"]
    assert main(["optimize", "a person walks", "--out", str(folder), *wanted]) == 2
    assert "`render.rasterizer` must not be nvdiffrast where" in capsys.readouterr().err
    assert not folder.exists()


def test_what_the_library_itself_lacks_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    package = tmp_path / "nvdiffrast"
    (package / "torch").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "torch" / "__init__.py").write_text("import no_such_module_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("nvdiffrast", "nvdiffrast.torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ImportError, match="where no_such_module_at_all is not installed, which"):
        make_rasterizer(RenderConfig(rasterizer="nvdiffrast"))
    sys.modules.pop("nvdiffrast", None)


def test_it_is_chosen_by_name_and_where_it_is_there(library: None) -> None:
    for name in ("nvdiffrast", "auto"):
        assert isinstance(make_rasterizer(RenderConfig(rasterizer=name)), NvdiffrastRasterizer)
    assert isinstance(make_rasterizer(RenderConfig(rasterizer="reference")), ReferenceRasterizer)
    assert isinstance(make_rasterizer(RenderConfig()), CpuRasterizer)


@pytest.fixture
def real() -> NvdiffrastRasterizer:
    pytest.importorskip("nvdiffrast.torch")
    return NvdiffrastRasterizer()


@pytest.mark.gpu
def test_the_stand_in_has_the_library_s_signatures(real: NvdiffrastRasterizer) -> None:
    library = importlib.import_module("nvdiffrast.torch")
    for name in ("RasterizeCudaContext", "rasterize", "interpolate", "texture"):
        own, other = (
            inspect.signature(getattr(module, name)) for module in (standin_nvdiffrast, library)
        )
        assert list(own.parameters) == list(other.parameters)
        for mine, theirs in zip(own.parameters.values(), other.parameters.values(), strict=True):
            assert mine.default == theirs.default and mine.kind == theirs.kind


@pytest.mark.gpu
@pytest.mark.parametrize("seed", range(20))
def test_the_library_gives_the_reference_s_images_and_gradients(
    real: NvdiffrastRasterizer, seed: int
) -> None:
    found, expected = (gradients(r, seed, torch.float32) for r in (real, REFERENCE))
    same = found[0][..., 3] == expected[0][..., 3]
    assert (~same).double().mean() < TIES
    assert (found[0] - expected[0])[same].abs().max() < INTERPOLATED
    # Gradients on equal visibility: each rasteriser's own would differ by the pixels at the ties.
    assert relative(*_gradients_given(expected[0], real, seed)) < GRADIENT


def _gradients_given(rast: Tensor, real: NvdiffrastRasterizer, seed: int) -> tuple[Tensor, Tensor]:
    """Gradients of an image for the positions, through attributes and silhouettes."""
    results = []
    for rasterizer in (real, REFERENCE):
        pos, tri, color = random_scene(seed, torch.float32)
        pos.requires_grad_()
        image = rasterizer.interpolate(torch.cat([color, pos], -1), rast.detach(), tri)
        image = rasterizer.antialias(image, rast, pos, tri)
        generator = torch.Generator().manual_seed(seed)
        weights = torch.randn(image.shape, generator=generator)
        results.append(torch.autograd.grad((image * weights).sum(), pos)[0])
    return results[0], results[1]
