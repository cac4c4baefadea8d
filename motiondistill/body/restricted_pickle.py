"""Pickles that may hold numbers, and nothing that could run.

A pickle names functions and classes for its reader to call. Here only numpy's own makers of arrays
are ever called; scipy's sparse matrices become a stand-in that keeps their arrays, so scipy is not
needed; every other name is refused.
"""

import pickle
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from motiondistill.numpy_pickles import DAMAGED, array_maker

_SPARSE: Final = ("csc_matrix", "csr_matrix")


def load_numbers(path: Path) -> dict[str, Any]:
    """The dictionary that a pickle of Python 2 or 3 holds, its sparse matrices as full arrays.

    Raises ValueError for damaged files and for pickles that hold anything but plain values and
    arrays; none of their code runs.
    """
    with path.open("rb") as file:
        try:
            content = _Restricted(file, encoding="latin1").load()
            if not isinstance(content, dict):
                raise pickle.UnpicklingError(f"it holds a {type(content).__name__}")
            return {
                str(key): value.full() if isinstance(value, _Sparse) else value
                for key, value in content.items()
            }
        except DAMAGED as error:
            raise ValueError(
                f"{path} must be a pickled dictionary of numbers and arrays; {error}."
            ) from error


class _Sparse:
    """What is kept of a sparse matrix: its arrays, in compressed columns or rows."""

    by_column: bool

    def full(self) -> NDArray[Any]:
        """The matrix with its zeros written out."""
        state = vars(self)
        shape = state["_shape"] if "_shape" in state else state["shape"]
        lengths = np.diff(state["indptr"])
        outer, inner = np.repeat(np.arange(len(lengths)), lengths), state["indices"]
        full = np.zeros(shape, state["data"].dtype)
        where = (inner, outer) if self.by_column else (outer, inner)
        np.add.at(full, where, state["data"])
        return full


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        match module.split("."), name:
            case ["scipy", "sparse", *_], name if name in _SPARSE:
                # A class of its own for every matrix: what a pickle may set on it, dies with it.
                return type("Sparse", (_Sparse,), {"by_column": name == "csc_matrix"})
            case [("copy_reg" | "copyreg")], "_reconstructor":
                return _make_sparse
            case [("__builtin__" | "builtins")], "object":
                return object
            case ["chumpy", *_], _:
                raise pickle.UnpicklingError(
                    "it holds chumpy objects: where chumpy is installed, open it there, replace "
                    "each of them by `numpy.array(it)`, and save the dictionary with `numpy.savez`"
                )
            case _:
                return array_maker(module, name)


def _make_sparse(kind: type, base: type, state: None) -> _Sparse:
    """Old pickles' way to make an object before its state is set."""
    if not issubclass(kind, _Sparse) or base is not object:
        raise pickle.UnpicklingError(f"it asks for an object of {kind}")
    return kind()
