"""bfloat16, and eight bits."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from reverie.models.diffusion import precision
from reverie.models.diffusion.network import load

LAYER = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"


def _made(folder: Path) -> Path:
    (folder / "loras").mkdir()
    return folder / "loras" / "fox.safetensors"


def test_what_a_device_cannot_do_is_one_sentence() -> None:
    precision.check("", "cpu", None)
    precision.check("int8", "cpu", None)
    precision.check("fp8", "cuda", (9, 0))
    with pytest.raises(ValueError, match=r"needs a GPU of capability 8\.9 or more .*this is capability 8\.6"):
        precision.check("fp8", "cuda", (8, 6))
    with pytest.raises(ValueError, match="this is device cpu"):
        precision.check("fp8", "cpu", None)
    with pytest.raises(ValueError, match="not for neuron"):
        precision.check("int8", "neuron", None)
    with pytest.raises(ValueError, match="one of int8, fp8 or empty, got 'int3'"):
        precision.check("int3", "cpu", None)


@torch.inference_mode()
def test_large_linear_layers_take_a_byte_a_weight_and_answer_nearly_the_same() -> None:
    pytest.importorskip("torchao", reason="eight bits need torchao")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(512, 640), nn.GELU(), nn.Linear(640, 64), nn.Conv1d(1, 1, 3)).requires_grad_(False)
    x = torch.randn(4, 512)
    before = net[:3](x)
    assert precision.apply(net, "", "cpu") == 0 and torch.equal(net[:3](x), before)
    assert precision.apply(net, "int8", "cpu") == 512 * 640
    apart = (net[:3](x) - before).norm() / before.norm()
    assert 0 < apart < 0.02
    assert type(net[2].weight) is nn.Parameter and type(net[3].weight) is nn.Parameter


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of diffusers' schedulers
@pytest.mark.parametrize("kind", ["turbo", "full", "wan", "lucy", "klein"])
def test_in_bfloat16_a_model_paints_nearly_the_same(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert precision.check("", "cpu", None) is None
    folder, shown = request.getfixturevalue(kind), []
    look = "fox <lora:ink:0.5> <control:edges:0.5> --no blur --steady 0.3" if kind == "full" else "fox"
    frames = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8).repeat(3, 0)
    for dtype in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(precision, "fast_dtype", lambda dtype=dtype: dtype)
        model = load(folder, "cpu")
        stream, late = model.stream(), model.stream()
        stream.start(look, seed=1)
        shown.append(stream.step(frames).astype(int))
        late.load(stream.save())
        assert model.dtype == dtype and np.array_equal(late.step(frames[:1]), stream.step(frames[:1]))
    apart = np.abs(shown[0] - shown[1])
    assert 0 < apart.mean() < 0.06 * shown[0].std()


def test_a_model_in_eight_bits_paints_nearly_the_same_and_refuses_loras(
    turbo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchao", reason="eight bits need torchao")
    monkeypatch.setattr(precision, "SMALLEST", 8)
    folder = Path(shutil.copytree(turbo, tmp_path / "tiny"))
    frames, shown = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8), []
    for bits in ("", "int8"):
        model = load(folder, "cpu", bits=bits)
        stream = model.stream()
        stream.start("fox", seed=1)
        shown.append(stream.step(frames).astype(int))
    assert 0 < np.abs(shown[0] - shown[1]).max() < 24
    save_file(
        {f"unet.{LAYER}.lora_{n}.weight": torch.ones(*s) for n, s in (("A", (1, 64)), ("B", (64, 1)))}, _made(folder)
    )
    with pytest.raises(ValueError, match=r"LoRA fox cannot be added to unet\..* eight bits"):
        stream.start("fox <lora:fox:1>")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("name", ["int8", "fp8"])
@torch.inference_mode()
def test_eight_bits_on_a_gpu_are_near_bfloat16(name: str) -> None:
    pytest.importorskip("torchao", reason="eight bits need torchao")
    if name == "fp8" and torch.cuda.get_device_capability() < precision.FP8_FROM:
        pytest.skip("this GPU has no units for fp8")
    net = nn.Linear(1024, 1024).requires_grad_(False).to("cuda", torch.bfloat16)
    x = torch.randn(32, 1024, device="cuda", dtype=torch.bfloat16)
    before = net(x)
    outer = nn.Sequential(net)
    assert precision.apply(outer, name, "cuda") == 1024 * 1024
    assert (outer(x) - before).norm() < 0.06 * before.norm()
