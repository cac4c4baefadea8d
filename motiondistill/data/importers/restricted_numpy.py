"""`.npy` files that hold a pickled dictionary, read without running anything.

A pickle names functions and classes for its reader to call. Here only numpy's own makers of arrays,
and ordered dictionaries, are ever called; every other name is refused.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy

# numpy keeps these private, and moves them.
_MAKE_ARRAY: Final = np.zeros(1).__reduce__()[0]
_MAKE_SCALAR: Final = np.float64(0).__reduce__()[0]
_DAMAGED: Final = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


def load_dictionary(path: Path) -> dict[str, Any]:
    """The dictionary in a `.npy` that `numpy.save` pickled.

    Raises ValueError for damaged files, and for those that hold anything but plain values, arrays
    and dictionaries; none of their code runs.
    """
    try:
        with path.open("rb") as file:
            readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
            shape, _, dtype = readers[npy.read_magic(file)](file)
            if shape or not dtype.hasobject:
                raise ValueError(f"it holds an array of shape {shape} and type {dtype}")
            content = _Restricted(file, encoding="latin1").load().item()
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")
    except _DAMAGED as error:
        raise ValueError(
            f"{path} must be a pickled dictionary of numbers and arrays: {error}; if you trust its "
            "origin, load it with numpy and save its arrays as BVH or .npz."
        ) from error
    return content


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        match module.split("."), name:
            case ["numpy", ("core" | "_core"), "multiarray"], "_reconstruct":
                return _MAKE_ARRAY
            case ["numpy", ("core" | "_core"), "multiarray"], "scalar":
                return _MAKE_SCALAR
            case ["numpy"], "ndarray":
                return np.ndarray
            case ["numpy"], "dtype":
                return np.dtype
            case ["collections"], "OrderedDict":
                return OrderedDict
            case ["_codecs"], "encode":  # how Python 3 writes bytes for Python 2
                return _latin
            case _:
                raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not loaded")


def _latin(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}")
    return text.encode("latin1")
