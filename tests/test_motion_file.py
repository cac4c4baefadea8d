"""Motion files come back as they were, and whatever is wrong with one is named."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motiondistill import rotations
from motiondistill.motion.motion_file import load_motion, save_motion
from motiondistill.structures import JOINT_NAMES, NUM_HAND_JOINTS, NUM_JOINTS, Motion

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


def _motion(frames: int, fps: float = 8.0) -> tuple[Motion, torch.Tensor]:
    generator = torch.Generator().manual_seed(frames)
    angles = torch.randn(frames, NUM_JOINTS, 3, generator=generator)
    shift = torch.randn(frames, 3, generator=generator)
    joints = torch.randn(frames, NUM_JOINTS, 3, generator=generator)
    return Motion(rotations.from_axis_angle(angles), shift, fps), joints


@given(
    frames=st.integers(0, 40),
    fps=st.floats(0.5, 240),
    prompt=_TEXT,
    seed=st.integers(0, 2**63 - 1),
    shape=st.lists(st.floats(-3, 3, width=32), max_size=10),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    frames: int,
    fps: float,
    prompt: str,
    seed: int,
    shape: list[float],
) -> None:
    path = tmp_path_factory.mktemp("motion") / "motion.npz"
    motion, joints = _motion(frames, fps)
    parameters = torch.tensor(shape, dtype=torch.float32)
    save_motion(path, motion, joints, prompt=prompt, seed=seed, body="anny", shape=parameters)
    loaded = load_motion(path)
    assert torch.equal(loaded.motion.rotations, motion.rotations)
    assert torch.equal(loaded.motion.translation, motion.translation)
    assert torch.equal(loaded.joints, joints)
    assert torch.equal(loaded.shape, parameters)
    assert (loaded.motion.fps, loaded.prompt, loaded.seed, loaded.body) == (
        fps,
        prompt,
        seed,
        "anny",
    )


@pytest.mark.parametrize("given", [("hands",), ("jaw",), ("hands", "jaw")])
def test_hands_and_jaw_come_back_when_they_are_given(
    tmp_path: Path, given: tuple[str, ...]
) -> None:
    motion, joints = _motion(4)
    generator = torch.Generator().manual_seed(1)
    shapes = {"hands": (4, NUM_HAND_JOINTS, 3), "jaw": (4, 3)}
    detail = {
        name: rotations.from_axis_angle(torch.randn(shapes[name], generator=generator))
        for name in given
    }
    motion = dataclasses.replace(motion, **detail)
    path = tmp_path / "motion.npz"
    save_motion(path, motion, joints, prompt="wave", seed=0, body="anny")
    loaded = load_motion(path).motion
    for name in ("hands", "jaw"):
        expected, found = getattr(motion, name), getattr(loaded, name)
        assert torch.equal(found, expected) if name in given else found is None
    with np.load(path) as file:
        assert set(given) == {"hands", "jaw"} & set(file.files)


def test_an_expression_comes_back_and_costs_nothing_where_there_is_none(tmp_path: Path) -> None:
    motion, joints = _motion(4)
    path, names = tmp_path / "motion.npz", {}
    for face in (None, torch.zeros(0), torch.tensor([0.5, -2.0])):
        save_motion(path, motion, joints, prompt="smile", seed=0, body="smplx", expression=face)
        expected = torch.zeros(0) if face is None else face
        assert torch.equal(load_motion(path).expression, expected)
        with np.load(path) as file:
            names[len(expected)] = set(file.files)
    # Files without one are those of before there were any.
    assert names[2] - names[0] == {"expression"} and names[0] < names[2]


def test_plain_numpy_reads_it_and_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    motion, joints = _motion(16)
    for name in ("a.npz", "b.npz"):
        save_motion(tmp_path / name, motion, joints, prompt="walk", seed=3, body="anny")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as file:
        assert file["rotations"].shape == (16, 22, 3, 3)
        assert file["rotations"].dtype == file["joints"].dtype == np.float32
        assert file["shape"].shape == (0,)
        assert tuple(file["joint_names"]) == JOINT_NAMES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("joints"), "must hold joints, got rotations"),
        (
            lambda a: a.update(rotations=a["rotations"][:, :21]),
            r"`rotations` in .* must have shape \(F, 22, 3, 3\), got \(4, 21, 3, 3\)",
        ),
        (lambda a: a.update(joints=a["joints"][1:]), r"`joints` .* got \(3, 22, 3\)"),
        (lambda a: a.update(fps=np.zeros(2)), r"`fps` .* must have shape \(\), got \(2,\)"),
        (lambda a: a.update(fps=np.array("eight")), "`fps` in .* must hold numbers, got <U5"),
        (lambda a: a.update(joint_names=a["joint_names"][::-1]), "`joint_names` .* SMPL's order"),
        (
            lambda a: a.update(hands=np.zeros((4, 15, 3, 3))),
            r"`hands` in .* must have shape \(F, 30, 3, 3\), got \(4, 15, 3, 3\)",
        ),
        (
            lambda a: a.update(expression=np.zeros((2, 2))),
            r"`expression` in .* must have shape \(E\), got \(2, 2\)",
        ),
        (lambda a: a.update(jaw=np.zeros((3, 3, 3))), r"`jaw` .* got \(3, 3, 3\)"),
        (lambda a: a.update(prompt=np.array({}, dtype=object)), "damaged data: Object arrays"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    path = tmp_path / "motion.npz"
    motion, joints = _motion(4)
    save_motion(path, motion, joints, prompt="walk", seed=0, body="anny")
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        load_motion(path)


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_damaged_files_are_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, where: float, bit: int, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("damage") / "motion.npz"
    motion, joints = _motion(4)
    save_motion(path, motion, joints, prompt="walk", seed=0, body="anny")
    data = bytearray(path.read_bytes())
    position = int(where * len(data))
    if cut:
        data = data[:position]
    else:
        data[position] ^= 1 << bit
    path.write_bytes(data)
    try:
        loaded = load_motion(path)
    except ValueError as error:
        assert "motion.npz" in str(error)
    else:  # a byte that means nothing, such as a date
        assert torch.equal(loaded.motion.rotations, motion.rotations)


def test_a_missing_file_and_a_text_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no motion file at"):
        load_motion(tmp_path / "motion.npz")
    (tmp_path / "motion.npz").write_text("hello")
    with pytest.raises(ValueError, match="must hold a motion"):
        load_motion(tmp_path / "motion.npz")
