"""What a run or a batch that goes on was told when it began, and what it may be told now."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from motiondistill import config as configs
from motiondistill.bookkeeping.probed_levels import load_with_record, with_probed_levels
from motiondistill.checkpoints import CHECKPOINTS, newest_step
from motiondistill.schema.jobs import JobConfig, LatentsConfig, OptimizeConfig, job_of

CONFIG: Final = "config.yaml"

# What a resumed run may do differently from how it began.
_MAY_GROW: Final = "score.num_steps"
_MAY_CHANGE: Final = (
    "run.checkpoint_every",
    "run.keep_checkpoints",
    "run.log_every",
    "run.profile",
    "run.live",
    "prior.batch_size",  # what is too much for the memory
    "score.accumulate",
    "score.probe",  # what it suggested is held against what the run began with
)
# What a run that has not begun to distill may do differently, too: nothing before depends on it.
_NOT_YET_USED: Final = ("score.", "image_prior.")


def stored_config(
    folder: Path | None, prompt: str, config: str | None, overrides: list[str]
) -> OptimizeConfig:
    """The configuration of the run in `folder`, which what is given now must not contradict.

    A resumed run may only make more steps, and checkpoints and pictures in another rhythm, tell
    where its time goes, and have the prior and the views work in other parts. While it has not
    begun to distill, it may distill in any other way. A probe that is named again must settle what
    it settled when the run began.
    """
    path = _stored_path(folder, OptimizeConfig)
    about = configs.read_about(path)
    if "prompts" in about:
        raise ValueError(
            f"`--out` must be the folder of a single run, got {folder}, a batch's; give --prompts "
            "or --seeds, too."
        )
    if about.get("prompt") != prompt:
        raise ValueError(
            f"`PROMPT` must be the stored run's {about.get('prompt')!r}, got {prompt!r}; "
            "repeat it, or start a new run."
        )
    return _grown(path, config, overrides)


def has_distilled(folder: Path) -> bool:
    """Whether the run in the folder, or one of the batch there, has begun that stage.

    Told by the states that they have saved, damaged ones included.
    """
    stored = configs.load(OptimizeConfig, str(folder / CONFIG))
    runs = [folder, *(path.parent for path in folder.glob(f"*/{CONFIG}"))]
    return any(newest_step(run / CHECKPOINTS) > stored.init.updates for run in runs)


def _stored_path(folder: Path | None, schema: type[JobConfig]) -> Path:
    if folder is None:
        raise ValueError("`--resume` needs `--out`, the folder of the run to go on with; name it.")
    path = folder / CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"`--out` must be a run's folder to resume, got {folder} without {CONFIG}; "
            "check the path, or start a run without --resume."
        )
    check_job("--out", path, schema)
    return path


def check_job(key: str, path: Path, schema: type[JobConfig]) -> None:
    """Raises ValueError for a configuration that another job wrote; `key` named its folder."""
    wanted, found = job_of(schema), configs.read_about(path).get("job")
    if found not in (None, wanted):  # what wrote none is told by its keys
        raise ValueError(
            f"`{key}` must be a folder of `motiondistill {wanted}`, got {path.parent}, of "
            f"`motiondistill {found}`; name another."
        )


def _grown(path: Path, config: str | None, overrides: list[str]) -> OptimizeConfig:
    """The stored configuration with what is given now."""
    stored = configs.load(OptimizeConfig, str(path))
    base = configs.to_dict(stored)
    wanted = with_probed_levels(load_with_record(OptimizeConfig, config, overrides, base=base))
    check_changes(stored, wanted, distilled=has_distilled(path.parent))
    return wanted


def stored_batch(
    folder: Path | None, config: str | None, overrides: list[str]
) -> tuple[OptimizeConfig, tuple[int, ...]]:
    """Configuration and seeds of the batch in `folder`; raises as `stored_config` does."""
    path = _stored_path(folder, OptimizeConfig)
    seeds = configs.read_about(path).get("seeds")
    if not seeds:
        raise ValueError(
            f"`--out` must be the folder of a batch to resume, got {folder}, a single run's; "
            "leave out --prompts and --seeds."
        )
    return _grown(path, config, overrides), tuple(seeds)


def stored_latents(
    folder: Path | None, prompts: Sequence[str], config: str | None, overrides: list[str]
) -> LatentsConfig:
    """The configuration of the clips in `folder`; raises as `stored_config` does."""
    path = _stored_path(folder, LatentsConfig)
    known = configs.read_about(path).get("prompts")
    if known != [*prompts]:
        raise ValueError(
            f"`PROMPT` must be the stored run's {known!r}, got {[*prompts]!r}; repeat them in "
            "their order, or start a new run."
        )
    stored = configs.load(LatentsConfig, str(path))
    wanted = configs.load(LatentsConfig, config, overrides, base=configs.to_dict(stored))
    check_changes(stored, wanted, distilled=True)
    return wanted


def check_changes(stored: JobConfig, wanted: JobConfig, *, distilled: bool) -> None:
    """Raises ValueError for the first key that a resumed run may not change.

    What belongs to the distillation may change until it has begun.
    """
    before = dict(configs.flat(configs.to_dict(stored)))
    for key, value in configs.flat(configs.to_dict(wanted)):
        grows = key == _MAY_GROW and value > before[key]
        free = key in _MAY_CHANGE or (not distilled and key.startswith(_NOT_YET_USED))
        if value != before[key] and not grows and not free:
            others = f"only {_MAY_GROW} may grow" if distilled else "score.* may still change"
            raise ValueError(
                f"`{key}` must be the stored run's {before[key]!r}, got {value!r}; "
                f"leave it out, or start a new run ({others})."
            )


def check_same(folder: Path, config: JobConfig, asked: Mapping[str, Any], kind: str) -> bool:
    """Whether a job of just this began in the folder; False where nothing did.

    For commands that go on when they are repeated. `asked` is what was asked for beside the
    settings, as plain values; threads and `prior.batch_size` may differ. Errors call the job by its
    `kind`. Raises ValueError for another job's folder, and FileExistsError for one in other use.
    """
    path = folder / CONFIG
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise FileExistsError(
                f"`--out` must be a new folder or one of a {kind}, got {folder}, which is in use; "
                "name another."
            )
        return False
    check_job("--out", path, type(config))
    stored = configs.to_dict(configs.load(type(config), str(path)))
    wanted = configs.to_dict(config)
    about = configs.read_about(path)
    for values in (stored, wanted):
        values["run"].pop("threads")
        values["prior"].pop("batch_size")  # what is too much for the memory
    before = dict(configs.flat(stored))
    for key, value in configs.flat(wanted):
        if before.get(key) != value:
            raise ValueError(
                f"`{key}` must be that of the {kind} in {folder}, got {value!r}; repeat its "
                "settings, or name another --out."
            )
    for name, value in asked.items():
        if about.get(name) != value:
            raise ValueError(
                f"`--{name}` must be those of the {kind} in {folder}; repeat them, or name another "
                "--out."
            )
    return True
