"""Where the LLM may come from."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from reverie.models import checkpoint, llm


def test_a_folder_as_on_the_hub_gives_the_same_model(tmp_path: Path) -> None:
    model = llm.load()
    shape = model.shape
    tensors = {"model.embed_tokens.weight": model.embed.weight, "model.norm.weight": model.norm}
    for n, layer in enumerate(model.layers):
        state = layer.state_dict()
        tensors |= {f"model.layers.{n}.{theirs}": state[ours] for ours, _, theirs in checkpoint.NAMES}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    model.tokenizer.save(str(tmp_path / "tokenizer.json"))
    config = {
        "num_hidden_layers": shape.layers, "hidden_size": shape.width, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads, "intermediate_size": shape.mlp, "vocab_size": shape.vocabulary,
        "rope_theta": shape.rope_base, "rms_norm_eps": shape.norm_epsilon,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    again = llm.load(tmp_path)
    tokens = again.tokenize("neon outlines 42")
    assert tokens == model.tokenize("neon outlines 42")
    assert torch.equal(again.logits(tokens), model.logits(tokens))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        checkpoint.read(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.gguf"):
        checkpoint.read(tmp_path / "none.gguf")
    with pytest.raises(FileNotFoundError, match="neither a file, a folder nor a hub id"):
        checkpoint.read("nothing")


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.gguf"
    path.write_text("this is not a model, only some text of a few dozen bytes")
    with pytest.raises(ValueError, match="not a GGUF file"):
        checkpoint.read(path)
