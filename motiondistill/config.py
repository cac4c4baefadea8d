"""A job's configuration: defaults < YAML, which is the difference < `key=value`, today's change."""

import dataclasses
import difflib
import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

from omegaconf import OmegaConf, read_write
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import YAMLError

from motiondistill.schema.jobs import JOBS, JobConfig, Schema, job_of
from motiondistill.schema.knobs import groups, knobs, records, show

ABOUT = "about"
"""The key under which a run's `config.yaml` tells its origin; it is no setting."""


def load(
    schema: type[Schema],
    config: str | None = None,
    overrides: Sequence[str] = (),
    *,
    base: Mapping[str, Any] | None = None,
    named_by: str = "--config",
) -> Schema:
    """The job's configuration: defaults < `base` < `config` < `overrides`.

    `config` is a YAML file or the name of a shipped one, `overrides` are `key=value`, and `base` is
    another resolved configuration, such as a stored run's; `named_by` is what `config` was given
    by. Raises ValueError and FileNotFoundError that name the key and the remedy.
    """
    resolved = OmegaConf.structured(schema)
    for layer in [base or {}, *_layers(schema, config, overrides, named_by)]:
        for key, value in flat(layer):
            _check_key(schema, key, value)
            try:
                group, name = key.split(".")
                # In place: a merge of the whole would copy every key for each one that is given.
                with read_write(resolved[group]):
                    resolved[group].merge_with({name: value})
            except OmegaConfBaseException as error:
                kind, default = knobs(schema)[key]
                raise ValueError(
                    f"`{key}` must be {_in_words(kind)}, got {show(value)}; "
                    f"the default is {show(default)}."
                ) from error
    try:
        return cast(Schema, OmegaConf.to_object(resolved))
    except MissingMandatoryValue as error:
        raise ValueError(f"`{error.full_key}` must be given; add it.") from error


def given(schema: type[Schema], config: str | None, overrides: Sequence[str]) -> dict[str, Any]:
    """The dotted keys that a configuration and overrides set, with their unchecked values."""
    return {
        key: value for layer in _layers(schema, config, overrides) for key, value in flat(layer)
    }


def to_dict(config: JobConfig) -> dict[str, Any]:
    """The resolved configuration as nested plain values."""
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.structured(config)))


def to_yaml(values: Mapping[str, Any]) -> str:
    """Nested plain values as YAML, in their order."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(values)))


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of nested values, with their values."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def shipped(job: str) -> dict[str, Traversable]:
    """The configurations that come with the package, by name."""
    package = files("motiondistill")
    # A wheel holds the folder in the package; in a checkout it stands beside it.
    for folder in (package / "configs" / job, package / ".." / "configs" / job):
        if folder.is_dir():
            found = sorted(folder.iterdir(), key=lambda file: file.name)
            return {file.name[:-5]: file for file in found if file.name.endswith(".yaml")}
    return {}


def find(config: str, job: str, named_by: str = "--config") -> Traversable:
    """The YAML file that `config` means: a path, or else the name of a shipped one."""
    path, named = Path(config), shipped(job)
    if path.is_file():
        return path
    if config in named:
        return named[config]
    raise FileNotFoundError(
        f"`{named_by}` must be a YAML file or a shipped name ({', '.join(named) or 'none here'}), "
        f"got {config!r}; check the path."
    )


def schema_source(job: str) -> str:
    """The source of the dataclasses behind a job's keys, the job's own last."""
    parts = [records(kind) for kind, _ in knobs(JOBS[job]).values()]
    classes = [*filter(None, parts), *groups(JOBS[job]).values(), JOBS[job]]
    return "\n\n".join(inspect.getsource(kind).rstrip() for kind in classes)


def read_about(file: Traversable) -> dict[str, Any]:
    """What a run's `config.yaml` tells of its origin."""
    about = _read_yaml(file).get(ABOUT)
    return about if isinstance(about, dict) else {}


def _layers(
    schema: type[Schema], config: str | None, overrides: Sequence[str], named_by: str = "--config"
) -> list[dict[str, Any]]:
    layers = [_from_arguments(overrides)]
    if config is not None:
        values = _read_yaml(find(config, job_of(schema), named_by), named_by)
        layers.insert(0, {key: value for key, value in values.items() if key != ABOUT})
    return layers


def _read_yaml(file: Traversable, named_by: str = "--config") -> dict[str, Any]:
    try:
        values = OmegaConf.to_container(OmegaConf.create(file.read_text(encoding="utf-8")))
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"`{named_by}` must be YAML that can be read, got {file}; mend it: {reason}."
        ) from error
    if not isinstance(values, dict):
        raise ValueError(
            f"`{named_by}` must hold keys and values, got {file}; see `motiondistill config`."
        )
    return {str(key): value for key, value in values.items()}


def _from_arguments(overrides: Sequence[str]) -> dict[str, Any]:
    for argument in overrides:
        if not argument.partition("=")[0] or "=" not in argument:
            raise ValueError(
                f"an override must have the form key=value, got {argument!r}; "
                "put a prompt of several words in quotes."
            )
    try:
        parsed = OmegaConf.to_container(OmegaConf.from_dotlist(list(overrides)))
    except (YAMLError, OmegaConfBaseException) as error:
        raise ValueError(
            f"an override must be readable as YAML, got {' '.join(overrides)!r}; quote the value."
        ) from error
    return cast(dict[str, Any], parsed)


def _check_key(schema: type, key: str, value: Any) -> None:
    known = knobs(schema)
    if key in groups(schema):
        raise ValueError(
            f"`{key}` must be a group of keys, got {show(value)}; set one of them: {key}.KEY=value."
        )
    if key not in known:
        others = [f"`motiondistill {job}`" for job in JOBS if key in knobs(JOBS[job])]
        if others:
            raise ValueError(
                f"`{key}` is not a key of `{job_of(schema)}`; it belongs to {' and '.join(others)}."
            )
        near = [f"`{name}`" for name in _near(key, known)]
        hint = f"did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(
            f"`{key}` is not a key of `{job_of(schema)}`; "
            f"{hint or '`motiondistill config` lists the keys.'}"
        )
    # OmegaConf's own language stays out: a configuration says what it means.
    if isinstance(value, str) and ("${" in value or value == "???"):
        raise ValueError(
            f"`{key}` must be a plain value, got {show(value)}; write the value itself."
        )


def _near(key: str, known: Collection[str]) -> list[str]:
    """Keys that may be meant: of that name in any group, else that begin so, else the most alike.

    A group by itself is no beginning.
    """
    group, _, name = key.rpartition(".")
    same = [each for each in known if each.endswith(f".{name}")]
    begun = [each for each in known if group and name and each.startswith(key)]
    return same or begun or difflib.get_close_matches(key, known, 1, cutoff=0.5)


def _in_words(kind: Any) -> str:
    """A field's type in words."""
    names = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
        type(None): "null",
    }
    arguments, record = get_args(kind), records(kind)
    if record is not None:
        parts = (f"{part.name}: {_in_words(part.type)}" for part in dataclasses.fields(record))
        return f"a list of {{{', '.join(parts)}}}"
    if kind in names:
        return names[kind]
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if get_origin(kind) is tuple and arguments[-1] is Ellipsis:
        return f"[{_in_words(arguments[0])}, ...]"
    if get_origin(kind) is tuple:
        return f"[{', '.join(_in_words(argument) for argument in arguments)}]"
    return " or ".join(_in_words(argument) for argument in arguments)
