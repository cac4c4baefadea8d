"""The commands and their arguments, as help lists them."""

import argparse
from pathlib import Path
from typing import Any, get_args

from motiondistill.formats.names import ExportFormat

_PROMPT = 'such as "a person is walking"'
_FILES = "motion files, or runs' folders"
_MOTIONS = (
    "motions that show them (parametric ones); a file's action is what its own name tells, else "
    "what the nearest folder's below DIR does that tells one, else what DIR's does"
)


def add_commands(commands: Any) -> None:
    """Every command's parser; those with settings take `--config` and `key=value`, too."""
    with_settings = [
        _optimize(commands),
        _latents(commands),
        _probe(commands),
        _diagnose(commands),
        _sample(commands),
        _render(commands),
        _export(commands),
        _dataset(commands),
        _priors(commands),
        _config(commands),
    ]
    for command in with_settings:
        command.add_argument("--config", metavar="NAME|FILE", help="a shipped name or a YAML file")
        command.add_argument(
            "overrides",
            metavar="key=value",
            nargs="*",
            default=[],
            help="settings; `motiondistill config COMMAND` lists them",
        )
    for add in (_evaluate, _report, _view, _convert, _doctor):
        add(commands).set_defaults(overrides=[])


def _added(
    commands: Any, name: str, help: str, example: str, usage: str | None = None
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        usage=usage,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog=f"example: motiondistill {example}",
    )
    parser.set_defaults(command=name)
    return parser


def _optimize(commands: Any) -> argparse.ArgumentParser:
    optimize = _added(
        commands,
        "optimize",
        "a motion from a prompt, by score distillation",
        'optimize "a person is waving" --seeds 0-3 score.guidance_scale=4',
    )
    optimize.add_argument("prompt", metavar="PROMPT", nargs="?", help=_PROMPT)
    optimize.add_argument(
        "--prompts", metavar="FILE", type=Path, help="a prompt a line, in place of PROMPT"
    )
    optimize.add_argument("--seeds", metavar="0-3", help="a run for each, such as 0-3 or 0,2,5")
    optimize.add_argument("--out", metavar="DIR", type=Path, help="the run's folder (runs/...)")
    optimize.add_argument("--resume", action="store_true", help="go on with the runs in --out")
    return optimize


def _latents(commands: Any) -> argparse.ArgumentParser:
    latents = _added(
        commands,
        "latents",
        "what priors ask of clips without a body",
        'latents "a person is walking" "a person is waving" prior.model=[embedded,gaussian]',
    )
    latents.add_argument("prompts", metavar="PROMPT", nargs="+", help="a row of the grid for each")
    latents.add_argument("--out", metavar="DIR", type=Path, help="a folder (runs/...)")
    latents.add_argument("--resume", action="store_true", help="go on with the clips in --out")
    return latents


def _probe(commands: Any) -> argparse.ArgumentParser:
    probe = _added(
        commands,
        "probe",
        "what a prior knows about motion, and where its gradients lead",
        "probe --set paper --out probed prior.model=embedded",
    )
    asked = probe.add_mutually_exclusive_group()
    asked.add_argument("--prompts", metavar="FILE", type=Path, help="a prompt a line")
    asked.add_argument("--set", choices=("paper", "actions"), help="shipped prompts (actions)")
    probe.add_argument("--motions", metavar="DIR", type=Path, help=_MOTIONS)
    probe.add_argument(
        "--compare", metavar="DIR", type=Path, nargs="+", help="finished probes, side by side"
    )
    probe.add_argument("--out", metavar="DIR", type=Path, required=True, help="the probe's folder")
    return probe


def _diagnose(commands: Any) -> argparse.ArgumentParser:
    diagnose = _added(
        commands,
        "diagnose",
        "where prompts fail: the representation, the prior or the distillation",
        'diagnose "a person is walking" "a person does a cartwheel" --out diagnosed',
    )
    diagnose.add_argument("words", metavar="PROMPT", nargs="*", help=_PROMPT)
    asked = diagnose.add_mutually_exclusive_group()
    asked.add_argument("--prompts", metavar="FILE", type=Path, help="a prompt a line")
    asked.add_argument("--set", choices=("paper", "actions"), help="shipped prompts")
    diagnose.add_argument("--motions", metavar="DIR", type=Path, help=_MOTIONS)
    diagnose.add_argument("--out", metavar="DIR", type=Path, required=True, help="its folder")
    return diagnose


def _sample(commands: Any) -> argparse.ArgumentParser:
    sample = _added(
        commands, "sample", "a video from a prior", 'sample "a person is walking" --out walk.mp4'
    )
    sample.add_argument("prompt", metavar="PROMPT", help=_PROMPT)
    sample.add_argument("--out", metavar="FILE.mp4", type=Path, help="the video (runs/...)")
    return sample


def _render(commands: Any) -> argparse.ArgumentParser:
    render = _added(
        commands, "render", "a film of a saved motion", "render RUN --config orbit --out film.mp4"
    )
    render.add_argument(
        "motion", metavar="RUN|FILE", type=Path, help="a run's folder, or a motion file"
    )
    render.add_argument("--out", metavar="FILE.mp4", type=Path, help="the video (runs/...)")
    return render


def _export(commands: Any) -> argparse.ArgumentParser:
    export = _added(
        commands,
        "export",
        "saved motions as files of other programs",
        "export RUN --to bvh,glb --out for_blender",
    )
    export.add_argument("files", metavar="RUN|FILE", nargs="+", help=_FILES)
    export.add_argument(
        "--to", metavar="bvh,...", required=True, help=", ".join(get_args(ExportFormat))
    )
    export.add_argument("--out", metavar="DIR", type=Path, help="a folder (that of the motion)")
    return export


def _dataset(commands: Any) -> argparse.ArgumentParser:
    dataset = commands.add_parser("dataset", help="captioned windows from a folder of motions")
    jobs = dataset.add_subparsers(title="commands", required=True, metavar="COMMAND")
    build = _added(
        jobs, "build", "cuts, mirrors, splits and counts them", "dataset build MOCAP --out windows"
    )
    build.set_defaults(command="dataset")
    build.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        help="with motions named after actions, by file or folder, or a manifest.csv",
    )
    build.add_argument("--out", metavar="DIR", type=Path, required=True, help="the set's folder")
    return build


def _priors(commands: Any) -> argparse.ArgumentParser:
    priors = _added(
        commands,
        "priors",
        "the priors there are, and whether one works here",
        "priors check embedded",
        "%(prog)s [check NAME|PATH [--out FILE.mp4]] [--config NAME|FILE] [key=value ...]",
    )
    priors.add_argument("--out", metavar="FILE.mp4", type=Path, help="the clip (runs/...)")
    return priors


def _config(commands: Any) -> argparse.ArgumentParser:
    config = _added(
        commands,
        "config",
        "what can be set, and its values",
        "config optimize --config fast score.guidance_scale=4",
        "%(prog)s [COMMAND] [--print | --schema] [--config NAME|FILE] [key=value ...]",
    )
    form = config.add_mutually_exclusive_group()
    form.add_argument("--print", action="store_true", help="the resolved values as YAML (default)")
    form.add_argument("--schema", action="store_true", help="the source of keys and defaults")
    return config


def _evaluate(commands: Any) -> argparse.ArgumentParser:
    evaluate = _added(
        commands,
        "evaluate",
        "figures of motions, beside references",
        "evaluate RUN --reference MOCAP --json figures.json",
    )
    evaluate.add_argument("files", metavar="RUN|FILE", nargs="+", help=_FILES)
    evaluate.add_argument("--reference", metavar="DIR", type=Path, help="a folder of motion files")
    evaluate.add_argument("--json", metavar="FILE", type=Path, help="figures and definitions")
    evaluate.add_argument("--tensorboard", metavar="DIR", type=Path, help="figures as scalars")
    evaluate.add_argument("--clip", metavar="DIR", type=Path, help="CLIP's weights, for CLIP score")
    return evaluate


def _report(commands: Any) -> argparse.ArgumentParser:
    report = _added(
        commands, "report", "a run's report.html, or a batch's index.html", "report RUN"
    )
    report.add_argument("run", metavar="RUN", type=Path, help="the folder of a run or of a batch")
    return report


def _view(commands: Any) -> argparse.ArgumentParser:
    view = _added(
        commands, "view", "saved motions in the browser, side by side", "view RUN walk.bvh"
    )
    view.add_argument("files", metavar="RUN|FILE", nargs="+", help=_FILES)
    view.add_argument("--host", default="127.0.0.1", help="who may see it (this machine alone)")
    view.add_argument("--port", type=int, default=8080, help="or the next free one (8080)")
    return view


def _convert(commands: Any) -> argparse.ArgumentParser:
    convert = _added(
        commands,
        "convert",
        "a prior's folder from weights in another layout",
        "convert videocrafter2 model.ckpt videocrafter2",
    )
    convert.add_argument("kind", metavar="KIND", choices=["videocrafter2"], help="videocrafter2")
    convert.add_argument("ckpt", metavar="CKPT", type=Path, help="the checkpoint, model.ckpt")
    convert.add_argument("out", metavar="OUT", type=Path, help="the folder to write")
    return convert


def _doctor(commands: Any) -> argparse.ArgumentParser:
    return _added(
        commands, "doctor", "what works on this machine, and what mends the rest", "doctor"
    )
