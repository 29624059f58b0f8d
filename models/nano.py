"""`nano` through torch, bfloat16 where the CPU multiplies it natively: what the kernels are compared with."""

from __future__ import annotations

import copy
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor
from torch.utils._pytree import tree_map

from reverie.models import nearest, picture, weights
from reverie.models.blend import Blend, blend
from reverie.models.config import NANO
from reverie.models.layers import KV
from reverie.models.llm import LLM
from reverie.models.llm import load as load_llm
from reverie.models.memory import Ring
from reverie.models.nearest import Landing
from reverie.models.network import Network, Style, channels_last
from reverie.models.note import narrate
from reverie.models.picture import PREFIX, Picture, Pictures
from reverie.models.prompt import normal, prompt_states
from reverie.models.stream import Frames, check, check_start, one_by_one

PROMPTS_KEPT = 256


def load(llm: str | None = None, steps: int = 1, path: Path | None = None) -> Nano:
    """The shipped weights with SmolLM2 beside them.

    Args:
        llm: where SmolLM2 comes from: None is the package; else a .gguf file, a folder, or a hub id.
        steps: denoising steps per frame, 1 to 4.
        path: other weights of the same network (.safetensors).
    Raises: ValueError if steps are out of range; FileNotFoundError if weights are missing.
    """
    network = Network(NANO)
    path = path or weights.SHIPPED
    network.load_state_dict(weights.load(path))
    language = load_llm(llm)
    if language.shape.width != NANO.llm_width:
        raise ValueError(
            f"nano reads an LLM of width {NANO.llm_width} (SmolLM2-135M); {llm} has {language.shape.width}"
        )
    return Nano(network.eval().requires_grad_(False), language, steps, fast_dtype(), nearest.beside(path))


@cache
def fast_dtype() -> torch.dtype:
    """bfloat16 on a CPU with native bfloat16 products, else float32."""
    capabilities = torch.cpu.get_capabilities()
    native = ("avx512_bf16", "amx_bf16", "amx_tile", "bf16", "sve_bf16")
    return torch.bfloat16 if any(capabilities.get(name) for name in native) else torch.float32


class Nano:
    """Network and LLM, shared by all streams."""

    name = "nano"

    def __init__(
        self, network: Network, language: LLM, steps: int, dtype: torch.dtype, landing: Landing | None = None
    ) -> None:
        if not 1 <= steps <= 4:
            raise ValueError(f"steps must be 1 to 4, got {steps}")
        self.steps = steps
        self.dtype = dtype
        self.network = network  # float32: makes styles
        self.frames = channels_last(copy.deepcopy(network).to(dtype))  # makes frames
        self._llm, self._landing = language, landing
        self.pictures = Pictures((NANO.style_tokens, NANO.cond))
        self._tokens: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def stream(self) -> NanoStream:
        return NanoStream(self)

    def step_many(
        self, streams: Sequence[NanoStream], frames: Sequence[Frames]
    ) -> Iterator[tuple[int, Frames | Exception]]:
        return one_by_one(streams, frames)

    def prepare(self, prompt: str) -> None:
        if prompt.strip():
            self.tokens(prompt)

    def counts(self) -> dict[str, int]:
        return {}

    def picture(self, image: Picture) -> str:
        return self.pictures.take(image)

    def enhance(self, prompt: str) -> Iterator[str]:
        return self._llm.enhance(prompt)

    def narrate(self, words: Sequence[str]) -> Iterator[str]:
        return narrate(words, self._llm.generate)

    @torch.inference_mode()
    def tokens(self, prompt: str) -> Tensor:
        """Style tokens (1, S, cond) of a prompt, or of a picture by its name; those of the last prompts are kept."""
        key = normal(prompt)
        if key.startswith(PREFIX):
            return torch.from_numpy(self.pictures[key])[None]
        with self._lock:
            if key not in self._tokens:
                said = self._landing.words(key) if self._landing else key
                states = prompt_states(self._llm, said, self.network.config.llm_layers)[None]
                mask = torch.ones(states.shape[:2], dtype=torch.bool)
                self._tokens[key] = self.network.connector(states, mask)
                if len(self._tokens) > PROMPTS_KEPT:
                    self._tokens.popitem(last=False)
            self._tokens.move_to_end(key)
            return self._tokens[key]

    def landed(self, prompt: str) -> NDArray[np.float32] | None:
        """Style tokens (S, cond) to wear for a prompt; None where it asks for nothing."""
        tokens = self.tokens(prompt)[0].numpy()
        if self._landing is None or prompt.startswith(PREFIX):
            return tokens
        return self._landing(tokens, normal(prompt), len(self._llm.tokenize(" " + normal(prompt))))

    @torch.inference_mode()
    def style(self, look: Blend) -> tuple[Style, ...]:
        """One style per denoising step, in the frames' dtype, of a look whose prompts all ask for something."""
        each = [torch.from_numpy(worn)[None] for prompt, _ in look if (worn := self.landed(prompt)) is not None]
        tokens = each[0]
        if len(each) > 1:
            mixed = torch.stack([weight * one for one, (_, weight) in zip(each, look, strict=True)]).sum(0)
            tokens = F.rms_norm(mixed, (mixed.shape[-1],))
        times = torch.tensor([1 - i / self.steps for i in range(self.steps)])
        styles = (self.network.style(tokens, t[None]) for t in times)
        return tuple(tree_map(lambda x: x.to(self.dtype), style) for style in styles)


class NanoStream:
    """A live stream: a look, a noise picture and the ring of what was shown."""

    work_saved = 0.0  # every frame is made whole

    def __init__(self, model: Nano) -> None:
        self.model = model
        self._started = False
        self._scene: Tensor | None = None

    def start(self, look: str | Blend, seed: int = 0, strength: float = 1.0) -> None:
        check_start(seed, strength)
        self._seed, self._strength = seed, strength
        self._forget(0, 0)
        self._started = True
        self.wear(blend(look))

    def wear(self, look: Blend) -> None:
        if not self._started:
            raise RuntimeError("start the stream before it changes its look")
        prompts, share = nearest.asked(look, self.model.landed)
        self._styles = self.model.style(prompts) if prompts else ()
        self._look, self._share = look, share

    def step(self, frames: Frames) -> Frames:
        if not self._started:
            raise RuntimeError("start the stream before its first step")
        check(frames)
        if not self._styles or self._strength == 0:
            return frames.copy()
        if len(frames) and frames.shape[1:3] != self._size:
            self._forget(*frames.shape[1:3])
        return np.stack([self._frame(frame) for frame in frames]) if len(frames) else frames.copy()

    @torch.inference_mode()
    def _frame(self, frame: Frames) -> Frames:
        model, network = self.model, self.model.frames
        source = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
        x = (source / 127.5 - 1).to(model.dtype)
        seen, x_t = network.encoder(x), self._noise
        self._scene = seen.scene
        for i, style in enumerate(self._styles):
            picture = network.decode(x, seen, x_t, style, self._rings).clamp(-1, 1)
            left = 1 - (i + 1) / model.steps  # noise still to be removed after this step
            x_t = ((1 - left) * picture + left * self._noise).to(model.dtype)
        for ring in self._rings:
            ring.advance()
        shown = source.lerp(picture * 127.5 + 127.5, self._strength * self._share)
        return shown.round_().clamp_(0, 255).to(torch.uint8)[0].permute(1, 2, 0).numpy()

    def _forget(self, height: int, width: int) -> None:
        config = self.model.network.config
        self._size, self._scene = (height, width), None
        self._rings = [Ring(config.recent) for _ in range(config.blocks)]
        self._noise = noise(self._seed, height, width).to(self.model.dtype)

    def scene(self) -> NDArray[np.float32] | None:
        """Scene tokens (Y / 16, X / 16, D) that the encoder made of the last frame; None before the first."""
        return None if self._scene is None else self._scene[0].float().permute(1, 2, 0).numpy()

    def save(self) -> bytes:
        if not self._started:
            raise RuntimeError("start the stream before saving it")
        tensors: dict[str, Tensor] = {}
        for i, ring in enumerate(self._rings):
            if ring.kv is not None:
                tensors |= {f"{i}.k": ring.kv.k.contiguous(), f"{i}.v": ring.kv.v.contiguous()}
        tensors["numbers"] = torch.tensor([self._seed, self._rings[0].frame, *self._size], dtype=torch.int64)
        tensors["strength"] = torch.tensor(self._strength, dtype=torch.float64)
        tensors["look"] = torch.frombuffer(bytearray(json.dumps(self._look).encode()), dtype=torch.uint8)
        for key in picture.named(self._look):
            tensors[key] = torch.from_numpy(self.model.pictures[key])
        return save_tensors(tensors, {"model": f"{self.model.name} {self.model.steps} {self.model.dtype}"})

    def load(self, state: bytes) -> None:
        try:
            tensors = load_tensors(state)
            seed, frame, height, width = (int(n) for n in tensors["numbers"])
            look = blend((str(prompt), float(w)) for prompt, w in json.loads(tensors["look"].numpy().tobytes()))
            kept = [(tensors[f"{i}.k"], tensors[f"{i}.v"]) for i in range(len(self.model.network.blocks)) if frame]
            strength = float(tensors["strength"])
            pictures = {key: tensors[key].numpy() for key in picture.named(look)}
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is not a saved stream of {self.model.name}: {error}") from None
        config = self.model.network.config
        tokens = config.slots * (height // 16) * (width // 16)
        expected = (1, config.heads, tokens, config.head_width)
        for tensor in (x for pair in kept for x in pair):
            if tuple(tensor.shape) != expected or tensor.dtype != self.model.dtype:
                raise ValueError(
                    f"saved memory is {tensor.dtype} {tuple(tensor.shape)}, needs {self.model.dtype} {expected}"
                )
        self.model.pictures.keep(pictures)
        self.start(look, seed, strength)
        self._forget(height, width)
        for ring, (k, v) in zip(self._rings, kept, strict=False):
            ring.kv, ring.frame = KV(k.clone(), v.clone()), frame


def noise(seed: int, height: int, width: int) -> Tensor:
    """The stream's noise picture (1, 3, H, W), the same for a seed on every machine."""
    generator = np.random.Generator(np.random.Philox(seed))
    return torch.from_numpy(generator.standard_normal((1, 3, height, width), np.float32))
