"""What may be loaded, judged without loading it."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from reverie.models.diffusion import folder, memory
from reverie.models.diffusion.network import load
from reverie.models.diffusion.packed import Packed

LAYERS = tuple(f".{layer}.weight" for layer in ("to_q", "to_k", "to_v", "to_out.0"))


@pytest.fixture
def copy(turbo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(turbo, tmp_path / "copy"))


def change(path: Path, **entries: object) -> None:
    index = json.loads((path / "model_index.json").read_text())
    (path / "model_index.json").write_text(json.dumps(index | entries))


def test_a_good_folder_tells_its_pipeline_and_size(turbo: Path) -> None:
    assert folder.check(turbo) == "StableDiffusionPipeline"
    assert 500_000 < folder.parameters(turbo) < 5_000_000


def test_convolutions_that_a_cpu_keeps_twice_count(turbo: Path) -> None:
    model = load(turbo, "cpu")
    layers = [m for net in (model.unet, model.vae) for m in net.modules() if isinstance(m, Packed)]
    assert layers and folder.convolutions(turbo) == sum(m.weight.numel() for m in layers)
    assert memory.need(turbo, 4, cpu=True).weights == 2 * memory.need(turbo, 2).weights + 4 * folder.convolutions(turbo)


def test_all_that_is_loaded_beside_a_pipeline_counts(full: Path) -> None:
    model = load(full, "cpu")
    nets = [model.unet, model.vae, model.pipeline.text_encoder, *model.controls._nets.values()]
    known = sum(p.numel() for net in nets for p in net.parameters())  # the adapter's layers are in the UNet
    assert model.reference is not None
    known += sum(p.numel() for part in (model.reference._encoder, model.reference._project) for p in part.parameters())
    eyes = [m for name in ("depth_estimator", "pose_estimator") for m in (full / name).glob("*.safetensors")]
    known += sum(x.numel() for file in eyes for x in load_file(file).values())
    assert folder.parameters(full) == pytest.approx(known, rel=0.01)
    touched = sum(p.numel() for name, p in model.unet.named_parameters() if name.endswith(LAYERS))
    own = sum(x.numel() for file in (full / "loras").glob("*") for x in load_file(file).values())
    assert folder.loras(full) == 2 * touched + own  # two LoRAs, named differently: at most so much


def test_a_tiny_autoencoder_is_loaded_instead(turbo: Path, copy: Path) -> None:
    (copy / "vae").rename(copy / "vae_tiny")
    assert folder.parameters(copy) == folder.parameters(turbo)


def test_pickles_are_refused(copy: Path) -> None:
    file = next((copy / "unet").glob("*.safetensors"))
    file.rename(file.with_suffix(".bin"))
    with pytest.raises(ValueError, match="unet has no safetensors"):
        folder.check(copy)


@pytest.mark.parametrize("entries", [{"unet": ["my_module", "Net"]}, {"_class_name": ["pipeline", "Mine"]}])
def test_code_of_the_folder_is_refused(copy: Path, entries: dict[str, object]) -> None:
    change(copy, **entries)
    with pytest.raises(ValueError, match="never run"):
        folder.check(copy)


@pytest.mark.parametrize(
    "name",
    ["StableDiffusion3Pipeline", "StableDiffusionInpaintPipeline", "WanVACEPipeline", "WanImageToVideoPipeline",
     "WanAnimatePipeline", "Flux2KleinInpaintPipeline", "Wa"],
)  # fmt: skip
def test_kinds_that_are_much_like_streamed_ones_are_refused(copy: Path, name: str) -> None:
    change(copy, _class_name=name)
    with pytest.raises(ValueError, match=f"{name} is not streamed; StableDiffusionPipeline, .*, Wan are"):
        folder.check(copy)


def test_networks_that_are_shown_more_are_refused(copy: Path, wan: Path, lucy: Path, tmp_path: Path) -> None:
    assert folder.check(lucy) == "LucyEditPipeline"  # its network sees the camera beside the noise
    two = Path(shutil.copytree(wan, tmp_path / "two"))
    change(two, transformer_2=["diffusers", "WanTransformer3DModel"])
    with pytest.raises(ValueError, match="two has two transformers"):
        folder.check(two)
    for path, part in ((copy, "unet"), (Path(shutil.copytree(wan, tmp_path / "more")), "transformer")):
        config = path / part / "config.json"
        known = json.loads(config.read_text())
        config.write_text(json.dumps(known | {"in_channels": 36}))
        with pytest.raises(ValueError, match=f"sees 36 channels and makes {known['out_channels']}"):
            folder.check(path)


def test_other_kinds_and_damage_are_one_sentence(copy: Path, tmp_path: Path) -> None:
    change(copy, _class_name="AudioLDMPipeline")
    with pytest.raises(ValueError, match="AudioLDMPipeline is not streamed"):
        folder.check(copy)
    (copy / "model_index.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        folder.check(copy)
    with pytest.raises(FileNotFoundError, match=r"no model_index\.json"):
        folder.check(tmp_path)
    next((copy / "unet").glob("*.safetensors")).write_bytes(b"\xff" * 20)
    with pytest.raises(ValueError, match="damaged"):
        folder.parameters(copy)
