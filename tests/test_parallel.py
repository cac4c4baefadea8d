"""Views shared by processes: the draws and the update of as many parts; who writes; Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_latte
import torch
import two_processes
from trees import same

from motiondistill.checkpoints import load_newest
from motiondistill.cli import main
from motiondistill.engine import parallel

ROOT = Path(__file__).parent.parent
# In single precision the sums of the same parts may differ by their order.
ROUNDING = 1e-6
SMALL = [
    "prior.model=gaussian",
    "init.num_steps=0",
    "score.views=2",
    "run.frames=4",
    "run.threads=1",
    "camera.size=[16,16]",
]


def test_alone_a_process_is_the_first_of_one() -> None:
    with parallel.joined():
        assert (parallel.rank(), parallel.size()) == (0, 1)
        assert parallel.own([1, 2, 3]) == [1, 2, 3]
        assert parallel.shared("x") == "x"
        assert parallel.any_of(True) and not parallel.any_of(False)
        given = torch.ones(2, requires_grad=True)
        assert torch.equal(parallel.summed(given), torch.ones(2))
        assert not parallel.summed(given).requires_grad


@pytest.mark.parametrize("given", [["--seeds", "0-1"], ["--seeds", "3"]])
def test_batches_are_for_one_process(
    given: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(parallel, "size", lambda: 2)
    out = tmp_path / "batch"
    assert main(["optimize", "a person bows", "--out", str(out), *given]) == 2
    assert "where several processes share the views, got 2 processes" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", two_processes.KINDS)
def test_two_processes_do_what_two_parts_do(kind: two_processes.Kind, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Here, as transformers lets only the first of several processes save.
    prior = tiny_latte.save_tiny(tmp_path / "prior")
    script = [sys.executable, str(ROOT / "tests" / "two_processes.py")]
    script += [kind, str(prior), str(tmp_path)]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            script, env=os.environ | shared | {"RANK": str(rank), "PYTHONPATH": str(ROOT)}
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=540) for process in processes] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert same(first, second, 0.0)
    torch.use_deterministic_algorithms(True)
    assert same(first, two_processes.run(kind, 2, prior), ROUNDING)
    whole = two_processes.run(kind, 1, prior)
    one, all_at_once = (
        next(step for step in done["steps"] if "score" in step) for done in (first, whole)
    )
    assert torch.allclose(one["video"], all_at_once["video"], atol=ROUNDING)
    assert torch.allclose(one["score_gradient"], all_at_once["score_gradient"], rtol=1e-5)


def torchrun(out: Path, *more: str) -> subprocess.Popen[str]:
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    job = ["-m", "motiondistill", "optimize", "a person bows", "--out", str(out)]
    return subprocess.Popen(
        [sys.executable, *launcher, *job, *SMALL, *more],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "stage",
    [
        ("score.num_steps=100000",),
        ("init.num_steps=100000", "init.num_samples=2", "init.sampling_steps=2"),
    ],
)
def test_torchrun_stops_at_ctrl_c_and_leaves_what_it_has(
    stage: tuple[str, ...], tmp_path: Path
) -> None:
    """While it distills, and while it fits samples, of which the best is chosen together."""
    out = tmp_path / "run"
    process = torchrun(out, *stage, "run.checkpoint_every=1")
    deadline = time.monotonic() + 300
    while not len(list(out.glob("checkpoints/*"))) > 1 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert text.count("stopping after this step") == 1, text  # the first process alone speaks
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    done = load_newest(out / "checkpoints")["step"]
    assert (out / "motion.npz").is_file()
    assert 0 < done < 100_000


@pytest.mark.slow
def test_torchrun_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    out = tmp_path / "run"
    given = ("score.num_steps=4", "run.checkpoint_every=1", "run.keep_checkpoints=9")
    text, _ = torchrun(out, *given).communicate(timeout=540)
    *_, before_last, last = sorted((out / "checkpoints").glob("*.safetensors"))
    whole = load_newest(out / "checkpoints")
    last.unlink()
    before_last.unlink()
    assert load_newest(out / "checkpoints")["step"] == 2, text
    process = torchrun(out, "--resume", *given)
    text, _ = process.communicate(timeout=540)
    assert process.returncode == 0, text
    assert same(load_newest(out / "checkpoints"), whole)


@pytest.mark.slow
def test_torchrun_leaves_what_one_process_leaves(tmp_path: Path) -> None:
    process = torchrun(tmp_path / "two", "score.num_steps=2")
    text, _ = process.communicate(timeout=540)
    assert process.returncode == 0, text
    assert text.count("finished after 2 updates") == 1
    job = ["-m", "motiondistill", "optimize", "a person bows", "--out", str(tmp_path / "one")]
    command = [sys.executable, *job, *SMALL, "score.num_steps=2", "score.accumulate=2"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, timeout=540)
    two, one = (load_newest(tmp_path / name / "checkpoints") for name in ("two", "one"))
    assert same(two["fields"], one["fields"], ROUNDING)
    refused = torchrun(tmp_path / "three", "score.views=3")
    text, _ = refused.communicate(timeout=540)
    assert refused.returncode != 0
    assert "`score.views` must be a multiple of score.accumulate=1 times the 2 processes" in text
    assert not (tmp_path / "three").exists()
