"""Every script of the experiments can be imported: what it asks of the package is there."""

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "experiments"
# The README's ten lines run as they are imported; test_quickstart has them.
SCRIPTS = sorted({*FOLDER.glob("*.py")} - {FOLDER / "quickstart.py"})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_can_be_imported(script: Path) -> None:
    assert importlib.import_module(script.stem).__doc__
