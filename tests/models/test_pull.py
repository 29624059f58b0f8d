"""Models fetched from a hub on this machine, broken off, damaged and complete."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from safetensors.numpy import save_file

from reverie.models import pull as pulling
from reverie.models.diffusion import catalogue
from reverie.models.hub import File
from reverie.models.pull import pull

INDEX = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A model as it lies on a hub, with what must not be fetched beside it."""
    folder = tmp_path / "origin" / "owner" / "fox"
    for part in ("text_encoder", "unet", "vae"):
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text("{}")
        save_file({"x": np.arange(5000, dtype=np.float32)}, folder / part / "model.safetensors")
    save_file({"x": np.arange(5000, dtype=np.float16)}, folder / "unet" / "model.fp16.safetensors")
    (folder / "model_index.json").write_text(json.dumps(INDEX))
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\nFoxes.\n")
    for name in ("pipeline.py", "unet/model.bin", "unet/modeling.py", "all.safetensors", "fox.png", "unet/model.ckpt"):
        (folder / name).write_bytes(b"never fetched")
    return folder


class Hub(ThreadingHTTPServer):
    """Answers as a hub does; large files are redirected, know ranges, and break off once after `breaks` bytes."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.root, self.breaks, self.spoilt, self.api = root, 0, "", "tree"
        self.asked: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        path = unquote(self.path.split("?")[0])
        self.server.asked.append((path, self.headers.get("range", "")))
        if path.startswith("/api/models/") and (self.server.api == "tree") == path.endswith("/tree/main"):
            folder = self.server.root / path.removeprefix("/api/models/").removesuffix("/tree/main")
            if folder.is_dir() and self.server.api:
                listed = [self.entry(p, folder) for p in folder.rglob("*") if p.is_file()]
                return self.answer(200, json.dumps(listed if self.server.api == "tree" else siblings(listed)))
        name = path.replace("/resolve/main/", "/", 1).removeprefix("/cdn").lstrip("/")
        file = self.server.root / name
        if not file.is_file():
            return self.answer(404, "")
        if file.suffix == ".safetensors" and not path.startswith("/cdn/"):
            self.send_response(302)
            self.send_header("location", f"/cdn/{name}")
            self.send_header("content-length", "0")
            return self.end_headers()
        self.file(file)

    def entry(self, path: Path, folder: Path) -> dict[str, Any]:
        content = path.read_bytes()
        said = {"type": "file", "path": path.relative_to(folder).as_posix(), "size": len(content)}
        said["oid"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if path.suffix == ".safetensors":
            said["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
        return said

    def file(self, path: Path) -> None:
        content = path.read_bytes()
        if path.name == self.server.spoilt:
            content = content[:-1] + b"?"
        start = int(self.headers.get("range", "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("content-length", str(len(content) - start))
        self.end_headers()
        stop = len(content)
        if self.server.breaks and len(content) > self.server.breaks:
            stop, self.server.breaks = start + self.server.breaks, 0
        self.wfile.write(content[start:stop])
        self.close_connection = True

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None: ...


def siblings(entries: list[dict[str, Any]]) -> dict[str, object]:
    """The same as older hubs say it."""
    found = []
    for each in entries:
        large = each.get("lfs")
        said = {"lfs": {"sha256": large["oid"], "size": large["size"]}} if large else {}
        found.append({"rfilename": each["path"], "size": each["size"], "blobId": each["oid"], **said})
    return {"id": "owner/fox", "siblings": found}


@pytest.fixture
def served(origin: Path) -> Iterator[Hub]:
    with Hub(origin.parents[1]) as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.02,))
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


WANTED = {
    "README.md", "SHA256SUMS", "model_index.json", "text_encoder/config.json", "text_encoder/model.safetensors",
    "unet/config.json", "unet/model.safetensors", "vae/config.json", "vae/model.safetensors",
}  # fmt: skip


def test_weights_and_settings_come_and_nothing_else(served: Hub, origin: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    folder = pull("owner/fox", served.url, tmp_path / "models", lambda *news: told.append(news))
    assert folder == tmp_path / "models" / "owner--fox"
    assert files(folder) == WANTED
    assert (folder / "unet/model.safetensors").read_bytes() == (origin / "unet/model.fp16.safetensors").read_bytes()
    assert told[-1][1:] == (told[-1][2], sum((folder / path).stat().st_size for path in WANTED - {"SHA256SUMS"}))
    here = [here for _, here, _ in told]
    assert here == sorted(here) and not list((tmp_path / "models").glob("*.part"))
    asked = len(served.asked)
    assert pull("owner/fox", served.url, tmp_path / "models") == folder and len(served.asked) == asked


def test_a_hub_without_trees_is_one_too(served: Hub, tmp_path: Path) -> None:
    served.api = "siblings"
    assert files(pull("owner/fox", served.url, tmp_path)) == WANTED
    served.spoilt = "config.json"
    with pytest.raises(ValueError, match="has not the checksum"):
        pull("owner/fox", served.url, tmp_path / "again")


def test_what_breaks_off_goes_on_where_it_was(served: Hub, tmp_path: Path) -> None:
    served.breaks = 12_345
    pulling.verify(pull("owner/fox", served.url, tmp_path))
    assert [span for path, span in served.asked if "cdn" in path and span] == ["bytes=12345-"]


def test_a_second_command_goes_on_too(served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "ATTEMPTS", 1)
    served.breaks = 12_345
    with pytest.raises(OSError, match="cannot be reached"):
        pull("owner/fox", served.url, tmp_path)
    assert not (tmp_path / "owner--fox").exists()
    first = len(served.asked)
    assert files(pull("owner/fox", served.url, tmp_path)) == WANTED
    again = [(path, span) for path, span in served.asked[first:] if "api" not in path]
    assert ("bytes=12345-" in {span for _, span in again}) and not any("README" in path for path, _ in again)


def test_two_commands_at_once_do_not_disturb_each_other(served: Hub, tmp_path: Path) -> None:
    second: list[str] = []

    def told(*_: object) -> None:
        if not second:
            with pytest.raises(OSError, match="another command is fetching owner/fox") as refused:
                pull("owner/fox", served.url, tmp_path)
            second.append(str(refused.value))

    assert files(pulling.pull("owner/fox", served.url, tmp_path, told)) == WANTED and second


def test_a_wrong_checksum_is_refused_and_the_file_removed(served: Hub, tmp_path: Path) -> None:
    for spoilt in ("model_index.json", "model.safetensors"):
        served.spoilt = spoilt
        with pytest.raises(ValueError, match=f"{spoilt} has not the checksum"):
            pull("owner/fox", served.url, tmp_path)
        assert not any(path.endswith(spoilt) for path in files(tmp_path / "owner--fox.part") if spoilt != path)
    served.spoilt = ""
    assert files(pull("owner/fox", served.url, tmp_path)) == WANTED


def test_a_folder_and_a_web_server_with_checksums_are_sources_too(served: Hub, origin: Path, tmp_path: Path) -> None:
    first = pull("fox", str(origin), tmp_path / "a")
    assert files(first) == WANTED
    served.root, served.api = first.parent, ""
    second = pull("fox", served.url, tmp_path / "b")
    assert {path: (first / path).read_bytes() for path in WANTED} == {
        path: (second / path).read_bytes() for path in WANTED
    }
    (first / "unet/config.json").write_text("{ }")
    with pytest.raises(ValueError, match=r"unet/config\.json has not the checksum"):
        pull("fox", served.url, tmp_path / "c")
    with pytest.raises(ValueError, match=r"fox/unet/config\.json is damaged: remove"):
        pull("fox", "", tmp_path / "a")


def test_models_of_the_catalogue_come_with_their_tiny_autoencoder(served: Hub, origin: Path, tmp_path: Path) -> None:
    sizes = catalogue.known("sd-turbo")
    assert sizes is not None
    for name, source in ((sizes.repository, origin), (sizes.tiny, origin / "vae")):
        target = served.root / name
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(source)
    folder = pull("sd-turbo", served.url, tmp_path / "models")
    assert {"vae_tiny/config.json", "vae_tiny/model.safetensors"} < files(folder)
    assert catalogue.located(tmp_path / "models", "sd-turbo") == str(folder)


def test_what_is_not_there_or_not_safe_is_one_sentence(served: Hub, origin: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no model owner/owl"):
        pull("owner/owl", served.url, tmp_path)
    for name in ("../fox", "a/b/c", "", "/etc", "."):
        with pytest.raises(ValueError, match="no name of a model"):
            pull(name, served.url, tmp_path)
    for path in ("../x.json", "/etc/x.json", "unet/../../x.json", "a\\b.json", ""):
        with pytest.raises(ValueError, match="leads out of"):
            pulling.chosen([File(path)])
    with pytest.raises(ValueError, match="no safetensors"):
        pulling.chosen([File("config.json"), File("pytorch_model.bin")])
    (origin / "model_index.json").write_text(json.dumps(INDEX | {"unet": ["my_code", "Net"]}))
    with pytest.raises(ValueError, match=r"^owner/fox brings code of its own"):
        pull("owner/fox", served.url, tmp_path)
    assert not any("resolve" in path and path.endswith(".safetensors") for path, _ in served.asked)


def test_too_little_disk_is_said_before_anything_is_fetched(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "SPARE_BYTES", 10**18)
    with pytest.raises(OSError, match=r"0\.0 GB are to be fetched, and .* GB of disk are free"):
        pull("owner/fox", served.url, tmp_path)
    assert not any("resolve" in path for path, _ in served.asked)


def test_sharded_weights_are_kept_as_they_are() -> None:
    paths = [
        "model_index.json",
        "unet/m-00001-of-00002.safetensors",
        "unet/m-00002-of-00002.safetensors",
        "unet/m.index.json",
    ]
    assert [local for _, local in pulling.chosen(map(File, paths))] == sorted(paths)
