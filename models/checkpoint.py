"""Llama checkpoints on disk, in the two layouts people have: one GGUF file, or a folder as on the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from torch import Tensor

from reverie.models.gguf import GGUF

Checkpoint = tuple[dict[str, Tensor], dict[str, Any], Tokenizer, frozenset[int]]
"""State dict, sizes, tokenizer, the tokens that end an answer."""

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


def _gguf(path: Path) -> Checkpoint:
    file = GGUF(path)
    meta = file.metadata
    if meta["general.architecture"] != "llama":
        raise ValueError(f"{path.name} is of architecture {meta['general.architecture']}, not llama")
    sizes = {
        "layers": meta["llama.block_count"],
        "width": meta["llama.embedding_length"],
        "heads": meta["llama.attention.head_count"],
        "kv_heads": meta["llama.attention.head_count_kv"],
        "mlp": meta["llama.feed_forward_length"],
        "vocabulary": file.entries["token_embd.weight"].shape[0],
        "rope_base": meta["llama.rope.freq_base"],
        "norm_epsilon": meta["llama.attention.layer_norm_rms_epsilon"],
    }
    state = {"embed.weight": _tensor(file, "token_embd.weight"), "norm": _tensor(file, "output_norm.weight")}
    for n in range(sizes["layers"]):
        for ours, theirs, _ in NAMES:
            state[f"layers.{n}.{ours}"] = _tensor(file, f"blk.{n}.{theirs}")
        for name, heads in (("q", sizes["heads"]), ("k", sizes["kv_heads"])):
            key = f"layers.{n}.{name}.weight"
            state[key] = _halves(state[key], heads)
    tokenizer = _tokenizer(meta)
    return state, sizes, tokenizer, _ends(tokenizer)


def _tensor(file: GGUF, name: str) -> Tensor:
    return torch.from_numpy(file.tensor(name))


def _halves(weight: Tensor, heads: int) -> Tensor:
    """Rows of q and k from GGUF's interleaved rotary pairs back to two halves."""
    return weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)


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
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config, tensors = json.loads((path / "config.json").read_text()), load_file(path / "model.safetensors")
    except (ValueError, SafetensorError) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from None
    sizes = {
        "layers": config["num_hidden_layers"],
        "width": config["hidden_size"],
        "heads": config["num_attention_heads"],
        "kv_heads": config["num_key_value_heads"],
        "mlp": config["intermediate_size"],
        "vocabulary": config["vocab_size"],
        "rope_base": config.get("rope_theta") or config["rope_parameters"]["rope_theta"],
        "norm_epsilon": config["rms_norm_eps"],
    }
    state = {"embed.weight": tensors["model.embed_tokens.weight"], "norm": tensors["model.norm.weight"]}
    for n in range(sizes["layers"]):
        state |= {f"layers.{n}.{ours}": tensors[f"model.layers.{n}.{theirs}"] for ours, _, theirs in NAMES}
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    return state, sizes, tokenizer, _ends(tokenizer)


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
