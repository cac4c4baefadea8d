"""What pickles of numpy's arrays may ask for: makers of arrays, and nothing that could run.

A pickle names functions and classes for its reader to call. numpy's own makers of arrays are safe;
a reader refuses every other name that it does not know itself.
"""

import pickle
from typing import Any, Final

import numpy as np

# numpy keeps these private, and moves them.
_MAKE_ARRAY: Final = np.zeros(1).__reduce__()[0]
_MAKE_ARRAY_OF_BYTES: Final = np.zeros(1).__reduce_ex__(5)[0]
_MAKE_SCALAR: Final = np.float64(0).__reduce__()[0]

DAMAGED: Final = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)
"""What a damaged pickle, or one that was made to do harm, may raise."""


def array_maker(module: str, name: str) -> Any:
    """The maker that a pickle asks for by module and name.

    Raises UnpicklingError for all that no array needs.
    """
    match module.split("."), name:
        case ["numpy", ("core" | "_core"), "multiarray"], "_reconstruct":
            return _MAKE_ARRAY
        case ["numpy", ("core" | "_core"), "numeric"], "_frombuffer":
            return _MAKE_ARRAY_OF_BYTES
        case ["numpy", ("core" | "_core"), "multiarray"], "scalar":
            return _MAKE_SCALAR
        case ["numpy"], "ndarray":
            return np.ndarray
        case ["numpy"], "dtype":
            return np.dtype
        case ["_codecs"], "encode":  # how Python 3 writes bytes for Python 2
            return _latin
        case _:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not loaded")


def _latin(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}")
    return text.encode("latin1")
