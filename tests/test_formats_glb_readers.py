"""Our GLB in other people's readers."""

import dataclasses
from pathlib import Path

import pytest
import torch
from browser import Watch
from glb_cases import random_motion, with_heaviest
from gltf_readers import drawn, loaded, three_page, validated, vertices
from playwright.sync_api import Page

from motiondistill.body.anny import anny_body
from motiondistill.body.base import Body
from motiondistill.body.skinning import SkinnedBody
from motiondistill.body.smplx import smplx_body
from motiondistill.formats.glb import write_glb
from motiondistill.render.appearance import part_palette
from motiondistill.structures import HAND_NAMES, JOINT_NAMES, PART_NAMES, Motion

# Metres. What is asked for is a millimetre; three.js poses bones in double precision, and the file
# has single.
TOLERANCE = 2e-5
# Of 255: half a step, and what single precision adds.
COLOUR_TOLERANCE = 1
FRAMES, FPS = 9, 16.0
FIVE = (0, 1, 4, 6, 8)


@pytest.fixture(scope="module", params=["low", pytest.param("full", marks=pytest.mark.slow)])
def anny(request: pytest.FixtureRequest, low_body: SkinnedBody) -> SkinnedBody:
    return low_body if request.param == "low" else anny_body("full")


def issues(path: Path) -> dict[str, int]:
    found = validated(path)["issues"]
    assert not found["messages"], found["messages"][:5]
    return {name: found[name] for name in ("numErrors", "numWarnings", "numInfos", "numHints")}


NONE = {"numErrors": 0, "numWarnings": 0, "numInfos": 0, "numHints": 0}


@pytest.mark.browser
@pytest.mark.parametrize("detailed", [False, True])
@pytest.mark.parametrize("most", [None, 4, 1])
def test_the_validator_finds_nothing(
    anny: SkinnedBody, most: int | None, detailed: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.glb"
    write_glb(path, random_motion(FRAMES, FPS, detailed), anny, max_influences=most)
    assert issues(path) == NONE
    sets = 4 if most else 8
    assert validated(path)["info"]["maxInfluences"] == sets


@pytest.mark.browser
def test_the_validator_finds_nothing_in_odd_files(
    low_body: SkinnedBody, smplx_file: Path, tmp_path: Path
) -> None:
    """SMPL-X, no fingers, a single frame, a hostile prompt."""
    path = tmp_path / "a.glb"
    motion = random_motion(FRAMES, FPS)
    bare = dataclasses.replace(low_body, detail=None)
    odd: list[tuple[Body, Motion, str]] = [
        (smplx_body(smplx_file), motion, ""),
        (bare, motion, "</script>\x00\"'\\ \U0001f600"),
        (low_body, motion.frames(slice(1)), "one frame"),
    ]
    for body, moves, prompt in odd:
        write_glb(path, moves, body, prompt=prompt)
        assert issues(path) == NONE


@pytest.mark.browser
def test_the_validator_does_look(low_body: SkinnedBody, tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    write_glb(path, random_motion(FRAMES, FPS), low_body)
    path.write_bytes(path.read_bytes().replace(b'"WEIGHTS_1"', b'"WEIGHTS_7"'))
    assert validated(path)["issues"]["numErrors"] > 0


def largest(page: Page, expected: torch.Tensor, function: str) -> float:
    """How far a vertex is from ours, over five frames, metres."""
    apart = [
        (vertices(page, frame / FPS, function) - expected[frame]).norm(dim=-1).max()
        for frame in FIVE
    ]
    return float(torch.stack(apart).max())


def quiet(watch: Watch) -> bool:
    return watch.errors == [] and all(
        url.startswith("http://three.test/") for url in watch.requests
    )


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("detailed", [False, True])
def test_three_moves_the_body_as_we_do(anny: SkinnedBody, detailed: bool, tmp_path: Path) -> None:
    """By the animation and the bones of three.js, and all the weights of the file."""
    path, motion = tmp_path / "a.glb", random_motion(FRAMES, FPS, detailed)
    write_glb(path, motion, anny, prompt="a </script> walks")
    with three_page() as (page, watch):
        about = loaded(page, path)
        assert about["bones"] == [*JOINT_NAMES, "jaw", *HAND_NAMES]
        assert about["animations"] == [["a </script> walks", pytest.approx((FRAMES - 1) / FPS)]]
        assert about["extras"]["prompt"] == "a </script> walks" and about["extras"]["fps"] == FPS
        assert largest(page, anny(motion).vertices, "verticesOfAllSets") < TOLERANCE
        assert quiet(watch)


@pytest.mark.browser
@pytest.mark.slow
def test_three_itself_reads_the_four_heaviest(low_body: SkinnedBody, tmp_path: Path) -> None:
    """A file of all weights and a file of four are one to it: the body of the four."""
    motion = random_motion(FRAMES, FPS)
    expected = with_heaviest(low_body, motion, 4)
    for most in (None, 4):
        path = tmp_path / f"{most}.glb"
        write_glb(path, motion, low_body, max_influences=most)
        with three_page() as (page, watch):
            loaded(page, path)
            assert largest(page, expected, "vertices") < TOLERANCE
            assert largest(page, low_body(motion).vertices, "vertices") > 1e-3
            assert quiet(watch)


@pytest.mark.browser
@pytest.mark.slow
def test_three_shows_an_smplx_body(smplx_file: Path, tmp_path: Path) -> None:
    """Exactly that without the corrections, whose cost is seen beside it."""
    path, motion = tmp_path / "a.glb", random_motion(FRAMES, FPS, detailed=True)
    body = smplx_body(smplx_file)
    rigid = dataclasses.replace(body, corrections=torch.zeros_like(body.corrections))
    write_glb(path, motion, body)
    with three_page() as (page, watch):
        loaded(page, path)
        assert largest(page, rigid(motion).vertices, "verticesOfAllSets") < TOLERANCE
        assert largest(page, body(motion).vertices, "verticesOfAllSets") > 1e-3
        assert quiet(watch)


@pytest.mark.browser
@pytest.mark.slow
def test_three_paints_the_parts(tmp_path: Path) -> None:
    """The default look's colours: the subject's left arm on the picture's right, feet below."""
    path = tmp_path / "a.glb"
    rest = Motion(torch.eye(3).expand(2, 22, 3, 3), torch.tensor([[0.0, 0, 0], [0, 0.5, 0]]), 1.0)
    write_glb(path, rest, anny_body("full"))
    with three_page() as (page, watch):
        loaded(page, path)
        first, second = drawn(page, 0.0), drawn(page, 1.0)
        assert quiet(watch)
    rows, columns = (torch.arange(size) - (size - 1) / 2 for size in first.shape[:2])
    for name, colour in zip(PART_NAMES, 255 * part_palette(), strict=True):
        mask = (first - colour).abs().amax(-1) <= COLOUR_TOLERANCE
        if name == "pelvis":  # behind, between the legs
            continue
        assert mask.sum() > 50, name
        column = columns.expand_as(mask)[mask].mean()
        side = {"left": 1.0, "right": -1.0}.get(name.split("_")[0], 0.0)
        if "collar" not in name:  # of the trunk's colour
            assert column * side > 10 if side else abs(column) < 1, name
    # Two metres are 400 rows, and the floor is their lower edge: the body is 1.62 m tall.
    body = rows[(first > 0).any(-1).any(1)] / 200 + 1
    assert body.max() > 1.99 and abs(float(body.min()) - (2 - 1.62)) < 0.01
    assert torch.equal(second[:300], first[100:])  # half a metre up
