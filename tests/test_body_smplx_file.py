"""SMPL-X files: found where they may be, read without running them, and refused with a reason."""

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.body import smplx_file as layout
from motiondistill.body.restricted_pickle import load_numbers
from motiondistill.body.smplx import smplx_body
from motiondistill.body.smplx_file import find_model, read_model
from motiondistill.building import objects
from motiondistill.schema.look import BodyConfig


def csc_matrix(module: str = "scipy.sparse.csc") -> type:
    """A class that pickles as scipy's, which is not needed for that."""

    class Matrix:
        def __init__(self, full: np.ndarray) -> None:
            self.data = full.T[full.T != 0]
            self.indices = np.concatenate([np.flatnonzero(column) for column in full.T])
            self.indptr = np.concatenate([[0], np.cumsum((full != 0).sum(0))])
            self._shape = full.shape

    Matrix.__module__, Matrix.__qualname__, Matrix.__name__ = module, "csc_matrix", "csc_matrix"
    return Matrix


@pytest.fixture
def sparse(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in for `scipy.sparse.csc_matrix` that pickles can name."""
    kind = csc_matrix()
    for name in ("scipy", "scipy.sparse", "scipy.sparse.csc"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(sys.modules["scipy.sparse.csc"], "csc_matrix", kind, raising=False)
    return kind


def small() -> dict[str, Any]:
    return {"a": np.arange(6.0).reshape(2, 3), "b": np.float32(2), "c": "text", "d": [1, None]}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_numbers_are_read(tmp_path: Path, sparse: Any, protocol: int) -> None:
    full = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])
    path = tmp_path / "numbers.pkl"
    path.write_bytes(pickle.dumps(small() | {"s": sparse(full)}, protocol))
    found = load_numbers(path)
    assert np.array_equal(found["s"], full)
    assert np.array_equal(found["a"], small()["a"])
    assert (found["b"], found["c"], found["d"]) == (2, "text", [1, None])


class Evil:
    """Its pickle asks for a call that would leave a trace."""

    trace: list[str] = []  # noqa: RUF012

    def __reduce__(self) -> tuple[Any, ...]:
        return (Evil.trace.append, ("ran",))


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps({"a": Evil()}),
        pickle.dumps({"a": print}),
        b"cposix\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR.",
    ],
    ids=["a method", "a function", "a command", "eval", "an object"],
)
def test_pickles_that_would_run_something_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"evil.pkl must be a pickled dictionary .* it asks for"):
        load_numbers(path)
    assert Evil.trace == []


def test_chumpy_is_told_how_to_convert(tmp_path: Path) -> None:
    path = tmp_path / "old.pkl"
    path.write_bytes(b"(dS'a'\ncchumpy.ch\nCh\n)\x81s.")
    with pytest.raises(ValueError, match=r"chumpy objects: .* `numpy.array\(it\)`, .*numpy.savez"):
        load_numbers(path)


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_damaged_pickles_are_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, where: float, bit: int, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("damage") / "numbers.pkl"
    data = bytearray(pickle.dumps(small(), 2))
    position = int(where * len(data))
    if cut:
        data = data[:position]
    else:
        data[position] ^= 1 << bit
    path.write_bytes(data)
    try:
        load_numbers(path)
    except ValueError as error:
        assert "numbers.pkl" in str(error)


def test_npz_and_pkl_give_the_same_body(smplx_file: Path, tmp_path: Path, sparse: Any) -> None:
    with np.load(smplx_file, allow_pickle=True) as file:
        content = {name: file[name] for name in file.files}
    content["J_regressor"] = sparse(content["J_regressor"])
    path = tmp_path / "SMPLX_NEUTRAL.pkl"
    with path.open("wb") as out:
        pickle.dump(content, out, 2)
    first, second = read_model(smplx_file), read_model(path)
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_models_are_found_by_path_and_in_folders(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "smplx"
    folder.mkdir(parents=True)
    for name in ("SMPLX_NEUTRAL.pkl", "SMPLX_NEUTRAL_2020.npz", "SMPLX_MALE.npz"):
        (folder / name).touch()
    male = folder / "SMPLX_MALE.npz"
    assert find_model(str(male)) == male
    for given_folder in (folder, folder.parent, tmp_path):
        assert find_model(str(given_folder)) == folder / "SMPLX_NEUTRAL_2020.npz"
    (folder / "SMPLX_NEUTRAL_2020.npz").unlink()
    assert find_model(str(folder)) == folder / "SMPLX_NEUTRAL.pkl"


@pytest.mark.parametrize("given_path", [None, "nowhere", "."])
def test_a_missing_model_tells_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_path: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SMPLX_DIR", raising=False)
    with pytest.raises(FileNotFoundError) as caught:
        objects.make_body(BodyConfig("smplx", model_path=given_path))
    message = str(caught.value)
    for part in (
        "https://smpl-x.is.tue.mpg.de",
        "SMPLX_DIR",
        "`body.name=anny`",
        "body.model_path",
    ):
        assert part in message
    assert "\n" not in message and f"got {given_path or 'none'};" in message


def test_the_configuration_and_the_environment_name_the_model(
    smplx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMPLX_DIR", str(smplx_file.parent))
    body = objects.make_body(BodyConfig("smplx", betas=(1.0,)))
    assert (body.name, body.shape.tolist()) == ("smplx-neutral", [1.0])
    monkeypatch.setenv("SMPLX_DIR", "nowhere")
    named = objects.make_body(BodyConfig("smplx", model_path=str(smplx_file)))
    assert len(named.parts) == layout.NUM_VERTICES


def test_without_the_package_the_install_line_is_told(
    smplx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "smplx.lbs", None)
    with pytest.raises(ImportError, match=r"pip install 'smplx>="):
        smplx_body(smplx_file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": None}, "got a file without weights"),
        ({"v_template": np.zeros((6890, 3))}, r"`v_template` .* \(10475, 3\) .* got .*\(6890, 3\)"),
        ({"f": np.array({}, dtype=object)}, "cannot be read: Object arrays"),
        ({"kintree_table": np.zeros((2, 55), int)}, "`kintree_table` .* parents of SMPL-X's"),
        ({"weights": np.full((10475, 55), "a")}, "`weights` .* must hold numbers"),
    ],
)
def test_what_is_wrong_with_a_model_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    arrays: dict[str, Any] = {
        name: np.zeros([size or 1 for size in shape], np.int8)
        for name, shape in layout._SHAPES.items()
    }
    arrays["kintree_table"] = np.array([layout._SMPLX_PARENTS, range(55)])
    path = tmp_path / "model.npz"
    np.savez(path, **arrays)
    assert read_model(path).keys() == arrays.keys()
    arrays = {name: value for name, value in (arrays | change).items() if value is not None}
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        read_model(path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    for data in (b"", b"hello", pickle.dumps({})):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="must be an SMPL-X model"):
            read_model(path)
