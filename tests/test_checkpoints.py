"""Checkpoints come back bit for bit, and a damaged one is told and passed over."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.checkpoints import load_checkpoint, load_newest, save_checkpoint, save_step

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_TREES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


def _train(model: torch.nn.Module, adam: torch.optim.Adam, steps: range) -> None:
    for step in steps:
        adam.zero_grad()
        batch = torch.randn(5, 3, generator=torch.Generator().manual_seed(step))
        model(batch).square().sum().backward()
        adam.step()


def _new(seed: int) -> tuple[torch.nn.Module, torch.optim.Adam]:
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 2)
    return model, torch.optim.Adam(model.parameters(), lr=0.1, betas=(0.9, 0.99))


@given(_TREES)
def test_any_nesting_comes_back(tmp_path_factory: pytest.TempPathFactory, tree: object) -> None:
    path = tmp_path_factory.mktemp("tree") / "state.safetensors"
    save_checkpoint(path, tree)
    loaded = load_checkpoint(path)
    assert loaded == tree
    assert repr(loaded) == repr(tree)  # types, too: 1 is not True, (1,) is not [1]


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool]
)
@pytest.mark.parametrize("shape", [(1, 1), (0, 2), (2, 3)])
def test_tensors_come_back_bit_for_bit(
    tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    save_checkpoint(
        tmp_path / "a.safetensors", {"x": tensor, "transposed": tensor.mT, "again": tensor}
    )
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    for name, expected in (("x", tensor), ("transposed", tensor.mT), ("again", tensor)):
        assert loaded[name].dtype == dtype
        assert torch.equal(loaded[name], expected)


def test_training_resumed_from_a_checkpoint_is_the_uninterrupted_one(tmp_path: Path) -> None:
    model, adam = _new(seed=0)
    _train(model, adam, range(3))
    save_checkpoint(
        tmp_path / "a.safetensors", {"model": model.state_dict(), "adam": adam.state_dict()}
    )
    _train(model, adam, range(3, 6))

    resumed, resumed_adam = _new(seed=1)
    state = load_checkpoint(tmp_path / "a.safetensors")
    resumed.load_state_dict(state["model"])
    resumed_adam.load_state_dict(state["adam"])
    _train(resumed, resumed_adam, range(3, 6))
    for name, value in model.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value)


@pytest.mark.parametrize("where", [4, 100, -3])
@pytest.mark.parametrize("harm", ["truncated", "flipped"])
def test_damage_is_told_and_the_checkpoint_before_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, where: int, harm: str
) -> None:
    for step in (10, 20):
        save_step(tmp_path, step, {"step": step, "x": torch.arange(50.0)})
    newest = tmp_path / "step_00000020.safetensors"
    data = bytearray(newest.read_bytes())
    if harm == "truncated":
        data = data[:where]
    else:
        data[where] ^= 1
    newest.write_bytes(data)
    with pytest.raises(ValueError, match=r"step_00000020\.safetensors is damaged"):
        load_checkpoint(newest)
    assert load_newest(tmp_path)["step"] == 10
    assert "Going back" in caplog.text


def test_without_a_whole_checkpoint_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint in"):
        load_newest(tmp_path)
    (tmp_path / "step_00000001.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=r"step_00000001\.safetensors is damaged"):
        load_newest(tmp_path)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_are_kept(tmp_path: Path, keep: int) -> None:
    for step in (0, 50, 100, 150):
        save_step(tmp_path, step, {}, keep)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        f"step_{step:08d}.safetensors" for step in (50, 100, 150)[-keep:]
    ]


def test_a_foreign_safetensors_file_and_a_foreign_object_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ValueError, match="damaged"):
        load_checkpoint(tmp_path / "foreign.safetensors")
    with pytest.raises(TypeError, match="cannot hold object"):
        save_checkpoint(tmp_path / "bad.safetensors", {"x": object()})
    assert not (tmp_path / "bad.safetensors").exists()
