"""What sources of models say they have."""

from pathlib import Path

import pytest

from reverie.models import hub


def test_lines_of_sha256sum_are_read() -> None:
    digest = "a" * 64
    assert hub.sums(f"{digest}  ./unet/config.json\n\n{digest} *README.md\n") == [
        hub.File("unet/config.json", sha256=digest),
        hub.File("README.md", sha256=digest),
    ]
    with pytest.raises(ValueError, match="no checksum: '<html>'"):
        hub.sums("<html>")


def test_a_folder_is_the_model_or_holds_it(tmp_path: Path) -> None:
    model = tmp_path / "owner" / "fox"
    (model / "unet").mkdir(parents=True)
    (model / "model_index.json").write_text("{}")
    (model / "unet" / "config.json").write_text("[]")
    for source in (tmp_path, model):
        found = hub.find(str(source), ["owner/fox"])
        assert [(file.path, file.size) for file in found.files] == [("model_index.json", 2), ("unet/config.json", 2)]
    with found.read("unet/config.json", 1) as (begins, chunks):
        assert (begins, b"".join(chunks)) == (1, b"]")
    with pytest.raises(FileNotFoundError, match="no folder of a model"):
        hub.find(str(tmp_path), ["owner/owl"])


def test_an_address_that_cannot_be_reached_is_one_sentence() -> None:
    with pytest.raises(OSError, match="cannot be reached"):
        hub.find("http://127.0.0.1:9", ["fox"])


def test_a_token_goes_to_its_own_hub_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "secret")
    assert hub._credentials(constants.ENDPOINT) == {"authorization": "Bearer secret"}
    assert hub._credentials("http://127.0.0.1:9") == {}
