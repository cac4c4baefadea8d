"""Who may import whom, what no file may do, and how long it may be. Read from the syntax tree."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
ROOT = REPOSITORY / "motiondistill"
FILES = sorted(ROOT.rglob("*.py"))
EVERY_FILE = [
    file
    for folder in ("motiondistill", "experiments", "tests")
    for file in sorted((REPOSITORY / folder).rglob("*.py"))
]

# Each layer may import those before it, and itself where it is one package or a chain of files.
BASE = [
    *"structures rotations cameras framing trajectories prompts randomness".split(),
    *"atomic checkpoints kinematics numpy_pickles".split(),
]
LAYERS = [
    BASE,
    "motion body render priors metrics".split(),
    "score regularizers data".split(),
    "formats".split(),
    "engine latents probing film".split(),
    "schema config".split(),
    "building bookkeeping checkup report viewer".split(),
    "commands".split(),
    "cli __main__".split(),
]
SIBLINGS = [set(LAYERS[1])]  # blind to each other
# The one file, or the one folder, that may know a library.
LEAVES = {
    "anny": "body/anny.py",
    "warp": "body/anny.py",
    "numba": "render/cpu/",
    "nvdiffrast": "render/nvdiffrast.py",
    "smplx": "body/smplx.py",
    "tinycudann": "motion/hash_grid.py",
    "diffusers": "priors/",
    "transformers": "priors/",
    "peft": "priors/lora.py",
    "huggingface_hub": "priors/hub.py",
    "imageio": "report/",
    "imageio_ffmpeg": "report/",
    "PIL": "report/",
    "omegaconf": "config.py",
    "viser": "viewer/",
}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc"}
MAX_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS = 300, 50, 8


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _layer(part: str) -> int:
    return next(index for index, layer in enumerate(LAYERS) if part in layer)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports(file: Path) -> None:
    here = file.relative_to(ROOT)
    own = here.parts[0].removesuffix(".py")
    assert own == "__init__" or any(own in layer for layer in LAYERS), f"{here} has no layer"
    for name in _imports(ast.parse(file.read_text())):
        library, *inner = name.split(".")
        if library in LEAVES:
            assert str(here).startswith(LEAVES[library]), f"{here} imports {library}"
        if library != "motiondistill" or own == "__init__":
            continue
        # `from motiondistill import x` names a module, too.
        assert _layer(inner[0]) <= _layer(own), f"{here} imports upwards: {name}"
        for group in SIBLINGS:
            assert not ({own, inner[0]} <= group and own != inner[0]), f"{here} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_habits(file: Path) -> None:
    here = file.relative_to(ROOT)
    text = file.read_text()
    assert file.stem not in FORBIDDEN_NAMES
    assert "from __future__ import annotations" not in text, "it hides shapes from the checks"
    assert not any(word in text for word in ("TODO", "FIXME", "XXX", "nan_to_num"))
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ExceptHandler(type=caught):
                names = {n.id for n in ast.walk(caught or node) if isinstance(n, ast.Name)}
                assert caught and not names & {"Exception", "BaseException"}, (
                    f"line {node.lineno}: catches everything"
                )
            case ast.Call(func=ast.Name(id="print")):
                assert {"cli.py", "commands"} & {*here.parts}, f"line {node.lineno}: prints"


@pytest.mark.parametrize("file", EVERY_FILE, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_limits(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{node.name} has {lines} lines"
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            count = sum(argument.arg not in ("self", "cls") for argument in every)
            assert count <= MAX_PARAMETERS, f"{node.name} has {count} parameters"


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="not a checkout")
def test_no_tracked_file_is_ignored() -> None:
    """Else a wheel lacks it, and linters pass it over."""
    words = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    found = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout == ""
