"""Values in the libraries' configuration files, told apart before anything is made of them.

The libraries hardly look at them: a wrong one shows itself late, deep inside, or never.
"""

import inspect
import math
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import numpy

Kind: TypeAlias = Literal["text", "a number", "true or false", "null"]

_KINDS: Final[Mapping[Any, Kind]] = {
    str: "text",
    int: "a number",
    float: "a number",
    numpy.ndarray: "a number",  # as a list of them, in a file
    bool: "true or false",
    types.NoneType: "null",
}
_NUMBERS: Final[frozenset[Kind]] = frozenset({"a number", "true or false"})
"""One for the libraries, whose annotations confuse them."""


def check_values(path: Path, config: Mapping[str, Any], kind: Any, *, nulls: bool = True) -> None:
    """Nothing, or a ValueError for a value in the file that is of no kind that `kind` takes.

    That is told by the annotations of the constructor of the class `kind`, as far as they say
    something; lists are looked through. With `nulls`, null is taken for any value, since released
    files write it where annotations forbid it.
    """
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if name in config:
            check_value(path, name, config[name], parameter.annotation, nulls=nulls)


def check_value(
    path: Path,
    name: str,
    value: object,
    annotation: Any,
    *,
    nulls: bool = True,
    lists: bool = True,
) -> None:
    """Nothing, or a ValueError for a value in the file that is not of the annotated type.

    Without `lists`, a list is of no type.
    """
    allowed = _kinds(annotation)
    if allowed is None:
        return
    for leaf in _leaves(value) if lists else [value]:
        kind = _KINDS.get(type(leaf))
        if kind in allowed or (kind in _NUMBERS and _NUMBERS & allowed):
            continue
        if kind == "null" and nulls:
            continue
        what = f"`{name}`" if leaf is value else f"every item of `{name}`"
        rule = " or ".join(sorted(allowed))
        raise ValueError(f"{what} in `{path}` must be {rule}, got {leaf!r}; copy the file anew.")


def check_statistics(path: Path, config: Mapping[str, Any]) -> None:
    """Nothing, or a ValueError for an autoencoder's latents that cannot be normalised as told."""
    if "scaling_factor" in config and not _is_number(config["scaling_factor"], above=0.0):
        raise ValueError(
            f"`scaling_factor` in `{path}` must be a number above 0, got "
            f"{config['scaling_factor']!r}; copy the file anew."
        )
    channels = config.get("z_dim", config.get("latent_channels"))
    for name, low in (("latents_mean", -math.inf), ("latents_std", 0.0)):
        values = config.get(name)
        if values is None:
            continue
        if not isinstance(values, list) or (channels is not None and len(values) != channels):
            raise ValueError(
                f"`{name}` in `{path}` must be a list of a number for each of {channels} channels, "
                f"got {values!r}; copy the file anew."
            )
        for value in values:
            if not _is_number(value, above=low):
                rule = "a number" if low < 0 else "a number above 0"
                raise ValueError(
                    f"every item of `{name}` in `{path}` must be {rule}, got {value!r}; "
                    "copy the file anew."
                )


def number(
    config: Mapping[str, Any],
    name: str,
    default: float,
    *,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """That entry of a scheduler's configuration: a number between two others, not one of them.

    Raises ValueError for anything else.
    """
    value = config.get(name, default)
    if not _is_number(value, above=above, below=below):
        low = f" above {above:g}" if above > -math.inf else ""
        high = f" below {below:g}" if below < math.inf else ""
        between = " and" if low and high else ""
        raise refused(name, value, f"a number{low}{between}{high}")
    return float(value)


def whole(config: Mapping[str, Any], name: str, default: int, *, least: int) -> int:
    """That entry of a scheduler's configuration: a whole number from `least` on.

    Raises ValueError for anything else.
    """
    value = config.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise refused(name, value, f"a whole number from {least} on")
    return value


def refused(name: str, value: object, rule: str) -> ValueError:
    """The error for an entry of a scheduler's configuration."""
    return ValueError(
        f"The scheduler's `{name}` must be {rule}, got {value!r}; "
        "change its scheduler_config.json or use another folder."
    )


def _is_number(value: object, *, above: float = -math.inf, below: float = math.inf) -> bool:
    """Whether it is a number between the two; infinities and nan are between none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and above < value < below


def _kinds(annotation: Any) -> frozenset[Kind] | None:
    """What may stand in a file, alone or in lists; None where the annotation does not tell."""
    if annotation in _KINDS:
        return frozenset({_KINDS[annotation]})
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return frozenset(_KINDS[type(value)] for value in arguments)
    if origin not in (Union, types.UnionType, tuple, list) or not arguments:
        return None
    found: frozenset[Kind] = frozenset()
    for argument in arguments:
        inner = frozenset() if argument is ... else _kinds(argument)
        if inner is None:
            return None
        found |= inner
    return found


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
