"""Bodies as a user asks for them: keys, their mistakes, and a run on SMPL-X."""

from pathlib import Path

import pytest
from tiny_ltx import save_tiny

from motiondistill import config
from motiondistill.body.anny import Phenotype
from motiondistill.building import motion as build_motion
from motiondistill.building import objects
from motiondistill.cli import main
from motiondistill.motion.motion_file import load_motion
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.schema.look import BodyConfig


def body_of(*overrides: str) -> BodyConfig:
    return config.load(OptimizeConfig, None, overrides).body


def test_keys_become_the_body(tmp_path: Path) -> None:
    assert body_of() == BodyConfig("anny", "low")
    assert body_of("body.age=0.25", "body.gender=1").age == 0.25
    smplx = body_of("body.name=smplx", "body.model_path=models", "body.betas=[1,-0.5]")
    assert (smplx.model_path, smplx.betas) == ("models", (1.0, -0.5))
    # A run's stored configuration says the same again.
    stored = tmp_path / "stored.yaml"
    for given in (OptimizeConfig(), OptimizeConfig(body=smplx)):
        stored.write_text(config.to_yaml(config.to_dict(given)))
        assert config.load(OptimizeConfig, str(stored)) == given


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["body.gender=2"], "`body.gender` must be between 0 and 1, got 2.0; the default is 0.5."),
        (["body.age=young"], "`body.age` must be a number, got 'young'; the default is 0.5."),
        (["body.name=smpl"], "`body.name` must be one of anny, smplx, got 'smpl'; "),
        (["body.betas=3", "body.name=smplx"], "`body.betas` must be [a number, ...], got 3; "),
        (["body.name=smplx", "body.betas=[1,x]"], "`body.betas` must be [a number, ...], got "),
        (
            ["body.name=smplx", "body.betas=[50]"],
            "`body.betas` must be between -20 and 20, got [50.0]; the default is [].",
        ),
        (
            ["body.betas=[1]"],
            "`body.betas` must be left out with body.name=anny, got [1.0]; only smplx has it.",
        ),
        (
            ["body.name=smplx", "body.age=0.2"],
            "`body.age` must be left out with body.name=smplx, got 0.2; only anny has it.",
        ),
    ],
)
def test_mistakes_are_told_in_a_line(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        body_of(*overrides)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_phenotypes_reach_the_body() -> None:
    child = objects.make_body(body_of("body.age=0.3", "body.weight=0.8"))
    assert child.shape.tolist() == pytest.approx([0.5, 0.3, 0.5, 0.8, 0.5, 0.5])
    assert [*Phenotype.__dataclass_fields__][1:4] == ["age", "height", "weight"]


def test_the_settings_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--print"]) == 0
    shown = capsys.readouterr().out
    for key in ("name: anny", "gender: 0.5", "proportions: 0.5", "model_path: null", "betas: []"):
        assert key in shown


def test_a_run_without_its_model_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMPLX_DIR", raising=False)
    folder, prior = tmp_path / "run", save_tiny(tmp_path / "prior")
    wanted = ["body.name=smplx", f"prior.model={prior}", "camera.size=[32,32]"]
    assert main(["optimize", "a person walks", "--out", str(folder), *wanted]) != 0
    told = [line for line in capsys.readouterr().err.splitlines() if "body.model_path" in line]
    assert len(told) == 1 and "https://smpl-x.is.tue.mpg.de" in told[0]
    assert not folder.exists()


@pytest.mark.slow
def test_a_run_on_smplx(smplx_file: Path, tmp_path: Path) -> None:
    folder, prior = tmp_path / "run", save_tiny(tmp_path / "prior")
    wanted = [
        "body.name=smplx",
        f"body.model_path={smplx_file}",
        "body.betas=[1.5]",
        "body.expression=[0,2.5]",
        f"prior.model={prior}",
        "camera.size=[32,32]",
        "init.num_samples=1",
        "init.sampling_steps=1",
        "init.num_steps=1",
        "score.num_steps=1",
        "score.views=1",
        "run.threads=1",
    ]
    assert main(["optimize", "a person walks", "--out", str(folder), *wanted]) == 0
    loaded = load_motion(folder / "motion.npz")
    assert (loaded.body, loaded.shape.tolist()) == ("smplx-neutral", [1.5])
    # `motiondistill render` asks for the same body again.
    drawn = build_motion.recorded_body(loaded)["body"]
    assert drawn == {"name": "smplx", "betas": [1.5], "expression": [0.0, 2.5]}
