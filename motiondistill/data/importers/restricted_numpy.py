"""`.npy` files that hold a pickled dictionary, read without running anything.

A pickle names functions and classes for its reader to call. Here only numpy's own makers of arrays,
and ordered dictionaries, are ever called; every other name is refused.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

from numpy.lib import format as npy

from motiondistill.numpy_pickles import DAMAGED, array_maker


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
    except DAMAGED as error:
        raise ValueError(
            f"{path} must be a pickled dictionary of numbers and arrays: {error}; if you trust its "
            "origin, load it with numpy and save its arrays as BVH or .npz."
        ) from error
    return content


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return array_maker(module, name)
