"""One img2img step of an SD-Turbo-shaped model with random weights, through each library: a frame in, a frame out.

A frame is (H, W, 3) uint8 RGB.  Prompts are read before anything is timed, so the text encoder is a small one.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

Frame = NDArray[np.uint8]
Run = Callable[[Frame], Frame]
PROMPT = "a marble statue"
WIDTH = 1024  # of what SD-Turbo's text encoder says
NOISE_AT = 0.5  # img2img strength of the others: two steps of which one is made; ours begins at 0.7 of the noise
PLAN = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
NO_CHECKER = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


def pipeline(device: str, dtype: torch.dtype) -> Any:
    """UNet (866 M parameters) and autoencoder (TAESD) of SD-Turbo's sizes, with random weights."""
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(
            sample_size=64, cross_attention_dim=WIDTH, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True
        )
    unet = unet.to_empty(device="cpu").to(dtype)
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.normal_(0, 0.02) if parameter.dim() > 1 else parameter.fill_(0.5)
    tokenizer, words = _tokenizer()
    text = CLIPTextConfig(
        hidden_size=WIDTH, intermediate_size=WIDTH, num_attention_heads=16, num_hidden_layers=1, vocab_size=words,
        bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=1,
    )  # fmt: skip
    made = diffusers.StableDiffusionImg2ImgPipeline(
        vae=diffusers.AutoencoderTiny(), unet=unet, text_encoder=CLIPTextModel(text), tokenizer=tokenizer,
        scheduler=diffusers.EulerDiscreteScheduler(**PLAN), **NO_CHECKER,
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    return made.to(device, dtype)


def _tokenizer() -> tuple[Any, int]:
    """Letters as words."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
        Path(folder, "merges.txt").write_text("#version: 0.2\n")
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True, model_max_length=77), len(words)


def ours(made: Any, device: str) -> tuple[Run, Any]:
    """Through our adapter, and the model in it."""
    from reverie.models.diffusion.network import ImageModel

    model = ImageModel(made, Path("sd-turbo"), device)
    stream = model.stream()
    stream.start(PROMPT, seed=1)
    return lambda frame: stream.step(frame[None])[0], model


def plain(made: Any) -> Run:
    """diffusers' own pipeline."""
    from PIL import Image

    tokens = _tokens(made)

    def run(frame: Frame) -> Frame:
        answer = made(
            prompt_embeds=tokens, image=Image.fromarray(frame), strength=NOISE_AT, num_inference_steps=2,
            guidance_scale=0.0, output_type="np",
        )  # fmt: skip
        return (answer.images[0] * 255).round().astype(np.uint8)

    return run


def streamdiffusion(made: Any, size: int) -> Run:
    """PyPI streamdiffusion 0.1.1, one step as its README uses SD-Turbo; on a CPU its timers of CUDA are stood in for."""
    from streamdiffusion import StreamDiffusion

    with timers_of_cuda():
        stream = StreamDiffusion(
            made, t_index_list=[35], torch_dtype=made.unet.dtype, width=size, height=size, cfg_type="none"
        )
        stream.prepare(PROMPT, num_inference_steps=50, guidance_scale=0.0)

    def run(frame: Frame) -> Frame:
        x = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
        with timers_of_cuda():
            answer = stream(x)
        return ((answer[0].permute(1, 2, 0).float().clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()

    return run


class NoEvent:
    """For torch.cuda.Event where there is no CUDA."""

    def __init__(self, enable_timing: bool = False) -> None: ...

    def record(self) -> None: ...

    def elapsed_time(self, other: NoEvent) -> float:
        return 0.0


@contextlib.contextmanager
def timers_of_cuda() -> Iterator[None]:
    """streamdiffusion asks CUDA's clock for the time of each frame."""
    if torch.cuda.is_available():
        yield
        return
    kept = torch.cuda.Event, torch.cuda.synchronize
    torch.cuda.Event, torch.cuda.synchronize = NoEvent, lambda: None  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        torch.cuda.Event, torch.cuda.synchronize = kept  # type: ignore[misc]


class Parts(torch.nn.Module):
    """Encoder or decoder alone, for OpenVINO to trace."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x)


class Predict(torch.nn.Module):
    """The UNet with tensors in and out."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x: torch.Tensor, t: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        return self.unet(x, t, tokens, return_dict=False)[0]


def openvino(made: Any, size: int, threads: int, dtype: torch.dtype) -> Run:
    """The three networks as OpenVINO compiles them for this CPU; what lies between them is ours, in float32."""
    import openvino as ov

    logging.getLogger("openvino").setLevel(logging.ERROR)
    hint = {torch.float32: "f32", torch.bfloat16: "bf16"}[dtype]
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": hint}
    latent, tokens, t = torch.zeros(1, 4, size // 8, size // 8), _tokens(made).float(), torch.tensor([500])
    vae, unet = (copy.deepcopy(part).float() for part in (made.vae, made.unet))
    core = ov.Core()

    def compiled(module: torch.nn.Module, *example: torch.Tensor) -> Any:
        with torch.inference_mode():
            graph = ov.convert_model(module, example_input=example)
        graph.reshape({i: list(x.shape) for i, x in enumerate(example)})
        return core.compile_model(graph, "CPU", settings).create_infer_request()

    encode = compiled(Parts(vae.encoder), torch.zeros(1, 3, size, size))
    decode = compiled(Parts(vae.decoder), latent)
    predict = compiled(Predict(unet), latent, t, tokens)
    kept = float(made.scheduler.alphas_cumprod[500])
    noise = np.random.default_rng(1).standard_normal(latent.shape, np.float32)
    words = tokens.numpy()

    def run(frame: Frame) -> Frame:
        x = frame.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
        source = encode.infer([x])[0]
        noisy = kept**0.5 * source + (1 - kept) ** 0.5 * noise
        predicted = predict.infer([noisy, np.array([500]), words])[0]
        made_of_it = decode.infer([(noisy - (1 - kept) ** 0.5 * predicted) / kept**0.5])[0]
        return ((made_of_it[0].transpose(1, 2, 0).clip(-1, 1) + 1) * 127.5).round().astype(np.uint8)

    return run


def nano() -> Run:
    """Our small model on our kernels: what a CPU can do in real time."""
    from reverie.models import registry

    stream = registry.load("nano").stream()
    stream.start(PROMPT, seed=1)
    return lambda frame: stream.step(frame[None])[0]


def _tokens(made: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = made.encode_prompt(PROMPT, made.device, 1, False)[0]
    return found.clone()


def twin(made: Any) -> Any:
    """The same pipeline with weights of its own: ours lays them out in another way."""
    parts = dict(made.components) | {"unet": copy.deepcopy(made.unet), "vae": copy.deepcopy(made.vae)}
    parts |= {"scheduler": diffusers.EulerDiscreteScheduler(**PLAN), "requires_safety_checker": False}
    other = diffusers.StableDiffusionImg2ImgPipeline(**parts)
    other.set_progress_bar_config(disable=True)
    return other
