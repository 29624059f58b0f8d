"""Language models of other architectures as writers."""

from pathlib import Path
from typing import Any

import pytest
import torch

from reverie.models import llm, llm_any

transformers = pytest.importorskip("transformers", reason="other language models need transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2 with random weights and the letters as words."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    path = tmp_path_factory.mktemp("qwen")
    letters = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "th"]
    tokenizer = Tokenizer(BPE({letter: i for i, letter in enumerate(letters)}, [("t", "h")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=letters[0]).save_pretrained(path)
    torch.manual_seed(3)
    config = transformers.Qwen2Config(
        vocab_size=len(letters), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, eos_token_id=0, bos_token_id=None, tie_word_embeddings=False,
    )  # fmt: skip
    transformers.Qwen2ForCausalLM(config).save_pretrained(path)
    return path


def test_another_architecture_writes_what_transformers_writes(folder: Path) -> None:
    writer: Any = llm_any.load(folder)
    assert isinstance(writer, llm_any.Through)
    tokens = writer.tokenizer("a fox", return_tensors="pt").input_ids
    theirs = writer.model.generate(tokens, max_new_tokens=24, do_sample=False)[0, tokens.shape[1] :]
    expected = writer.tokenizer.decode(theirs, skip_special_tokens=True)
    made = "".join(writer.generate("a fox", 24))
    assert made and expected.startswith(made) and not expected[len(made) :].strip("\ufffd")  # a cut character waits
    assert next(iter(writer.enhance("a  fox"))) == "a fox"


def test_our_own_code_refuses_what_it_would_read_wrongly(folder: Path) -> None:
    with pytest.raises(ValueError, match="architecture qwen2, not a llama"):
        llm.load(folder)


def test_the_packaged_one_stays_ours() -> None:
    assert isinstance(llm_any.load(), llm.LLM)


def test_pickles_and_damage_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"code")
    with pytest.raises(ValueError, match="no safetensors"):
        llm_any.load(tmp_path)
    (tmp_path / "x.gguf").write_bytes(b"GGUF and nothing that could be a model of any kind" * 4)
    with pytest.raises(ValueError, match=r"x\.gguf"):
        llm_any.load(tmp_path / "x.gguf")
    with pytest.raises(FileNotFoundError):
        llm_any.load(tmp_path / "none")


def test_a_gguf_of_another_architecture_is_the_same_model(folder: Path, tmp_path: Path) -> None:
    """Written tensor by tensor as llama.cpp's converter names them."""
    gguf = pytest.importorskip("gguf", reason="needs gguf")
    theirs: Any = llm_any.load(folder)
    state, config = theirs.model.state_dict(), theirs.model.config
    writer = gguf.GGUFWriter(tmp_path / "tiny.gguf", "qwen2")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(512)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    words = [theirs.tokenizer.convert_ids_to_tokens(i) for i in range(config.vocab_size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([1] * len(words))
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(0)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config.num_hidden_layers)
    for name, tensor in state.items():
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ours: Any = llm_any.load(tmp_path / "tiny.gguf")
    tokens = torch.tensor([[5, 9, 40]])
    assert torch.allclose(ours.model(tokens).logits, theirs.model(tokens).logits, atol=1e-4)
