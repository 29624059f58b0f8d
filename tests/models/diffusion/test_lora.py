"""LoRAs against diffusers' own way, which is PEFT."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reverie.models.diffusion import lora
from reverie.models.diffusion.network import load


def clip() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


@torch.inference_mode()
def said(unet: torch.nn.Module) -> torch.Tensor:
    random = torch.Generator().manual_seed(3)
    x, words = torch.randn(1, 4, 8, 8, generator=random), torch.randn(1, 77, 32, generator=random)
    return unet(x, torch.tensor([300]), words, return_dict=False, added_cond_kwargs=None)[0]


@pytest.fixture(scope="module")
def folder(full: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LoRAs alone."""
    ignored = shutil.ignore_patterns("controlnet_*", "ip_adapter")
    return Path(shutil.copytree(full, tmp_path_factory.mktemp("lora") / "tiny", ignore=ignored))


@pytest.mark.parametrize("name", ["Ink", "oil"])
def test_one_changes_the_answer_as_peft_would(folder: Path, name: str) -> None:
    pytest.importorskip("peft")
    ours, theirs = load(folder, "cpu"), load(folder, "cpu")
    plain = said(ours.unet)
    ours.loras.wear("unet", ((name.lower(), 0.5),))
    theirs.pipeline.load_lora_weights(str(folder / "loras"), weight_name=f"{name}.safetensors", adapter_name="it")
    theirs.pipeline.set_adapters(["it"], [0.5])
    expected = said(theirs.pipeline.unet)
    assert torch.allclose(said(ours.unet), expected, atol=1e-5)
    assert (expected - plain).norm() > 0.01 * plain.norm()


def test_taking_it_off_gives_back_the_bits_and_nothing_is_compiled_again(folder: Path) -> None:
    model = load(folder, "cpu")
    before = {name: x.clone() for name, x in model.unet.state_dict().items()}
    compiled: list[int] = []

    def backend(graph, inputs):  # type: ignore[no-untyped-def]
        compiled.append(1)
        return graph.forward

    model.unet.mid_block.attentions[0].compile(backend=backend, dynamic=False)
    stream = model.stream()
    stream.start("fox")
    plain = stream.step(clip())
    count = len(compiled)
    stream.start("fox <lora:ink:0.8> <lora:oil:0.5>")
    assert not np.array_equal(stream.step(clip()), plain)
    stream.start("fox")
    assert np.array_equal(stream.step(clip()), plain)
    assert len(compiled) == count > 0
    assert all(torch.equal(x, before[name]) for name, x in model.unet.state_dict().items())


def test_sessions_with_other_loras_do_not_hear_of_each_other(folder: Path) -> None:
    model = load(folder, "cpu")
    looks = "fox <lora:ink:0.8>", "fox", "fox <lora:oil:0.8>"
    streams = [model.stream() for _ in looks]
    for stream, look in zip(streams, looks, strict=True):
        stream.start(look)
    shown = dict(model.step_many(streams, [clip()[0]] * 3))
    for n, look in enumerate(looks):
        alone = load(folder, "cpu").stream()
        alone.start(look)
        assert np.abs(alone.step(clip()[:1])[0].astype(int) - shown[n]).max() <= 1
    assert not np.array_equal(shown[0], shown[1]) and not np.array_equal(shown[1], shown[2])


def test_another_file_of_the_name_is_taken_up_and_one_that_is_gone_is_worn_on(folder: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    file, model = own / "loras" / "Ink.safetensors", load(own, "cpu")
    stream, other = model.stream(), model.stream()
    stream.start("fox <lora:ink:0.8>")
    first = stream.step(clip()[:1])
    shutil.copy(own / "loras" / "oil.safetensors", file)
    os.utime(file, (1e9, 1e9))
    other.start("fox <lora:ink:0.8>")
    second = other.step(clip()[:1])
    assert not np.array_equal(first, second)
    file.unlink()
    other.start("fox")
    both = dict(model.step_many([stream, other], [clip()[0]] * 2))
    again = load(folder, "cpu").stream()
    again.start("fox <lora:oil:0.8>")
    assert np.array_equal(second, again.step(clip()[:1])) and not isinstance(both[0], Exception)
    assert not np.array_equal(both[0], both[1])
    with pytest.raises(ValueError, match="no LoRA 'ink'"):
        other.start("fox <lora:ink:0.8>")


def test_what_is_not_there_or_of_another_model_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    model = load(folder, "cpu")
    with pytest.raises(ValueError, match="no LoRA 'chalk'; the model's folder loras has ink, oil"):
        model.prepare("fox <lora:chalk:1>")
    wrong = tmp_path / "wrong.safetensors"
    layer = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    from safetensors.torch import save_file

    save_file({f"{layer}.lora_A.weight": torch.ones(4, 7), f"{layer}.lora_B.weight": torch.ones(64, 4)}, wrong)
    with pytest.raises(ValueError, match="wrong is of another model"):
        lora.read(wrong, model.pipeline)
    wrong.write_bytes(b"\xff" * 40)
    with pytest.raises(ValueError, match="LoRA wrong cannot be read"):
        lora.read(wrong, model.pipeline)


@pytest.mark.parametrize("kind", ["wan", "lucy", "klein"])
def test_sessions_of_video_and_edit_models_wear_their_own_and_give_the_bits_back(
    kind: str, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(kind)
    model, frames = load(path, "cpu"), np.random.default_rng(0).integers(0, 256, (15, 32, 32, 3), np.uint8)
    before = {name: x.clone() for name, x in model._pipeline.transformer.state_dict().items()}
    looks, alone = ("fox <lora:brush:0.8>", "fox"), []
    for look in looks:
        stream = model.stream()
        stream.start(look, seed=1)
        alone.append(stream.step(frames))
    assert not np.array_equal(*alone)
    streams = [model.stream() for _ in looks]
    for stream, look in zip(streams, looks, strict=True):
        stream.start(look, seed=1)
    for n, frame in enumerate(frames):
        for place, shown in model.step_many(streams, [frame, frame]):
            assert np.array_equal(shown, alone[place][n])
    assert all(torch.equal(x, before[name]) for name, x in model._pipeline.transformer.state_dict().items())
    file = load_file(path / "loras" / "brush.safetensors")
    name = next(key.removesuffix(".lora_A.weight") for key in file if "lora_A" in key)
    model.wear((("brush", 0.5),))
    added = 0.5 * file[f"{name}.lora_B.weight"] @ file[f"{name}.lora_A.weight"]
    layer = f"{name.removeprefix('transformer.')}.weight"
    assert torch.allclose(model._pipeline.transformer.state_dict()[layer], before[layer] + added, atol=1e-6)
