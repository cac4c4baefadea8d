"""Where priors are found: names, folders, the hub's local cache, and what goes wrong on the way.

The hub is replaced by a function that copies from a folder, or raises what the real one raises.
"""

import fnmatch
import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants, errors
from tiny_ltx import save_tiny

from motiondistill.priors import hub
from motiondistill.priors.families import FAMILIES, known, ltx
from motiondistill.priors.hub import cached, locate
from motiondistill.priors.loading import EMBEDDED_IMAGE_PRIOR, EMBEDDED_PRIOR, load_prior

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
HUB_ID = "someone/tiny-ltx"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """What the hub has: a pipeline, and much that a prior does not need."""
    folder = save_tiny(tmp_path_factory.mktemp("hub") / "repository")
    for name in (
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
        "vae/diffusion_pytorch_model.bin",
        "transformer/diffusion_flax_model.msgpack",
        "text_encoder/model.onnx",
        "ltx-video-2b.safetensors",
        "media/clip.mp4",
        "modeling.py",
        "transformer/modeling.py",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"not needed")
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty local cache of the hub, and no way to the hub itself."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder


def fill(cache, repository, hub_id=HUB_ID, commit=COMMIT, ref="main"):
    """A snapshot as the hub's own downloads leave it: links to blobs."""
    home = cache / f"models--{hub_id.replace('/', '--')}"
    snapshot, blobs = home / "snapshots" / commit, home / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    for path in repository.rglob("*"):
        if path.is_file():
            target = snapshot / path.relative_to(repository)
            blob = blobs / f"{len(list(blobs.iterdir()))}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, blob)
            target.symlink_to(blob)
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / ref).write_text(commit)
    return snapshot


class FakeHub:
    """The hub's `snapshot_download`, with a network that can fail."""

    def __init__(self, cache, repository, error=None):
        self.real = huggingface_hub.snapshot_download
        self.cache, self.repository, self.error = cache, repository, error
        self.asked = []

    def __call__(self, hub_id, *, local_files_only=False, **options):
        if local_files_only:
            return self.real(hub_id, local_files_only=True, **options)
        self.asked.append(options)
        if self.error is not None:
            raise self.error
        for path in self.repository.rglob("*"):
            name = str(path.relative_to(self.repository))
            wanted = any(fnmatch.fnmatch(name, p) for p in options["allow_patterns"])
            if path.is_file() and wanted and not self._ignored(name, options):
                home = self.cache / f"models--{hub_id.replace('/', '--')}"
                target = home / "snapshots" / COMMIT / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
                (home / "refs").mkdir(exist_ok=True)
                (home / "refs" / "main").write_text(COMMIT)
        return str(home / "snapshots" / COMMIT)

    @staticmethod
    def _ignored(name, options):
        return any(fnmatch.fnmatch(name, pattern) for pattern in options["ignore_patterns"])


def answer(status):
    """An answer of the hub's, for the errors that carry one."""
    import httpx2

    return httpx2.Response(status, request=httpx2.Request("GET", "https://huggingface.co"))


def test_the_embedded_prior_and_folders_are_found_without_the_hub(cache, repository, tmp_path):
    assert locate("embedded").folder == EMBEDDED_PRIOR
    assert locate("embedded-image").folder == EMBEDDED_IMAGE_PRIOR
    assert locate(str(repository)) == hub.Location(repository)
    with pytest.raises(ValueError, match=r"`prior\.revision` must be left out .*got 'v1'"):
        locate(str(repository), "v1")


def test_a_snapshot_in_the_cache_is_used_without_asking(cache, repository):
    snapshot = fill(cache, repository)
    fill(cache, repository, commit=OTHER, ref="next")
    assert locate(HUB_ID) == hub.Location(snapshot, COMMIT)
    assert locate(HUB_ID, "next").revision == OTHER
    assert locate(HUB_ID, COMMIT).folder == snapshot
    assert load_prior(locate(HUB_ID).folder).format.frames == 9


def test_short_names_and_their_hub_ids_are_the_same_checkpoint(cache, repository):
    fill(cache, repository, "Lightricks/LTX-Video")
    location = locate("ltx")
    assert known("ltx") == known("Lightricks/LTX-Video") == (ltx.FAMILY, location.checkpoint)
    assert locate("Lightricks/LTX-Video") == location
    assert location.checkpoint.native.frames == 161


def test_the_native_clip_is_the_checkpoints(cache, repository, tmp_path):
    folder = shutil.copytree(repository, tmp_path / "copy")
    (folder / "motiondistill.json").unlink()
    (checkpoint,) = ltx.FAMILY.checkpoints
    assert load_prior(folder, checkpoint=checkpoint).format.frames == checkpoint.native.frames


def test_names_and_ids_are_unique_and_name_a_family():
    names = [item.name for family in FAMILIES for item in family.checkpoints]
    ids = [item.hub_id for family in FAMILIES for item in family.checkpoints]
    assert len(set(names)) == len(names) and len(set(ids)) == len(ids)
    assert all(hub._HUB_ID.fullmatch(item) for item in ids)
    assert all("/" not in name and name not in hub.SHIPPED for name in names)
    assert len({family.pipeline for family in FAMILIES}) == len(FAMILIES)


def test_a_name_goes_before_a_folder_of_that_name(cache, repository, tmp_path, monkeypatch):
    snapshot = fill(cache, repository, "Lightricks/LTX-Video")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(repository, tmp_path / "ltx")
    assert locate("ltx").folder == snapshot
    assert locate("./ltx").folder == Path("./ltx")


def test_only_what_the_family_reads_is_downloaded(cache, repository, monkeypatch):
    fake = FakeHub(cache, repository)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake)
    location = locate(HUB_ID)
    assert (location.revision, fake.asked[1]["revision"]) == (COMMIT, COMMIT)
    names = {str(path.relative_to(location.folder)) for path in location.folder.rglob("*.*")}
    assert not any(name.endswith((".py", ".bin", ".onnx", ".msgpack", ".mp4")) for name in names)
    assert "ltx-video-2b.safetensors" not in names
    assert not any("fp16" in name for name in names)
    assert load_prior(location.folder).embed(["a person"])
    fake.asked.clear()
    assert locate(HUB_ID) == location
    assert not fake.asked, "what is there is not asked for again"


def test_pickled_weights_are_downloaded_only_where_there_are_no_others(
    cache, repository, tmp_path, monkeypatch
):
    old = shutil.copytree(repository, tmp_path / "old")
    (path,) = (old / "text_encoder").glob("*.safetensors")
    from safetensors.torch import load_file

    torch.save(load_file(path), path.with_name("pytorch_model.bin"))
    path.unlink()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", FakeHub(cache, old))
    folder = locate(HUB_ID).folder
    assert [p.parent.name for p in folder.rglob("*.bin")] == ["text_encoder"]
    expected = load_prior(repository).embed(["a person"]).tensors["embeddings"]
    assert torch.equal(load_prior(folder).embed(["a person"]).tensors["embeddings"], expected)


def test_an_interrupted_download_is_completed(cache, repository, monkeypatch):
    snapshot = fill(cache, repository)
    for path in (snapshot / "vae").glob("diffusion_pytorch_model.*"):
        path.unlink()
    assert cached(HUB_ID) is None
    monkeypatch.setattr(huggingface_hub, "snapshot_download", FakeHub(cache, repository))
    assert (locate(HUB_ID).folder / "vae" / "diffusion_pytorch_model.safetensors").is_file()


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            lambda: errors.GatedRepoError("Access denied", response=answer(403)),
            ValueError,
            r"someone/tiny-ltx is gated; accept its licence at https://huggingface\.co/someone/"
            "tiny-ltx, then `hf auth login` or set HF_TOKEN",
        ),
        (
            lambda: errors.RepositoryNotFoundError("404", response=answer(404)),
            ValueError,
            "the hub, which has no someone/tiny-ltx that you may see; check the spelling",
        ),
        (
            lambda: errors.RevisionNotFoundError("404", response=answer(404)),
            ValueError,
            r"`prior\.revision` must be a branch, tag or commit of someone/tiny-ltx, got 'v9'",
        ),
        (
            lambda: errors.LocalEntryNotFoundError("offline"),
            FileNotFoundError,
            "not downloaded, and the hub cannot be reached .*set prior.model=FOLDER",
        ),
        (
            lambda: errors.HfHubHTTPError("500 Server Error", response=answer(500)),
            ValueError,
            r"could not be downloaded \(500 Server Error\); try again",
        ),
        (
            lambda: __import__("httpx2").ProxyError("no proxy"),
            ValueError,
            r"could not be downloaded \(no proxy\)",
        ),
        (
            lambda: OSError(28, "No space left on device"),
            ValueError,
            "could not be downloaded .*No space left on device.*room on the disk",
        ),
    ],
)
def test_the_hubs_errors_say_what_to_do(cache, repository, monkeypatch, error, kind, message):
    fake = FakeHub(cache, repository, error())
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake)
    with pytest.raises(kind, match=message):
        locate(HUB_ID, "v9")


def test_offline_is_told_by_the_real_function_too(cache):
    with pytest.raises(FileNotFoundError, match="Lightricks/LTX-Video is not downloaded"):
        locate("ltx")


def test_repositories_in_other_layouts_are_refused(cache, repository, tmp_path, monkeypatch):
    other = tmp_path / "other"
    (other / "vae").mkdir(parents=True)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", FakeHub(cache, repository))
    (other / "model_index.json").write_text('{"_class_name": "MysteryPipeline"}')
    monkeypatch.setattr(huggingface_hub, "snapshot_download", FakeHub(cache, other))
    with pytest.raises(ValueError, match=r"must name a supported pipeline .*'MysteryPipeline'"):
        locate(HUB_ID)


def test_repositories_without_an_index_are_refused(cache, tmp_path, monkeypatch):
    folder = tmp_path / "snapshots" / COMMIT
    folder.mkdir(parents=True)

    def download(hub_id, local_files_only=False, **_):
        if local_files_only:
            raise errors.LocalEntryNotFoundError("nothing here")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(ValueError, match=r"someone/tiny-ltx without model_index\.json; choose one"):
        locate(HUB_ID)


@pytest.mark.parametrize("model", ["/nowhere", "nowhere", "a/b/c", "a/..", "-/-", "a b/c"])
def test_what_is_nothing_at_all_is_told_with_the_names(cache, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "..")
    with pytest.raises(
        FileNotFoundError, match=r"`prior\.model` must be a name that `motiondistill .*got"
    ):
        locate(model)
