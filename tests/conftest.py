"""Settings for every test: no draw and no time limit that differs between machines."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch

# The same examples on every machine and in every run: a red test is red for everyone.
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, deadline=None, max_examples=50, database=None
)
hypothesis.settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what this machine cannot run, and says why."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache for the tests alone: neither do they fill the user's, nor does his change them."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTIONDISTILL_CACHE", str(folder))
        yield folder


# Several processes of several threads each would stand in each other's way.
THREADS = max(1, torch.get_num_threads() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
torch.set_num_threads(THREADS)


@pytest.fixture(autouse=True)
def torch_as_before() -> Iterator[None]:
    """Undoes what commands and trainings set for the whole process, in wider fixtures as well."""
    yield
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def low_body() -> Any:
    """The Anny body at its low resolution; it takes seconds to build, so it is built once."""
    from motiondistill.body.anny import anny_body

    return anny_body("low")


@pytest.fixture(scope="session")
def smplx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for SMPL-X's licensed model file."""
    from standin_smplx import save

    return save(tmp_path_factory.mktemp("smplx"))


@pytest.fixture(scope="session")
def run_folder(low_body: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the motion file of a short walk."""
    from walk_file import save, walk

    folder = tmp_path_factory.mktemp("run")
    save(folder / "motion.npz", walk(low_body), low_body)
    return folder
