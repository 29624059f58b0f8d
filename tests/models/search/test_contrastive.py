"""Real weights cannot be had here: a tiny CLIP with random ones, saved as transformers saves the real ones."""

import json
from pathlib import Path

import numpy as np
import pytest

from reverie.models.search.contrastive import Contrastive

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import pre_tokenizers

    place, raw = tmp_path_factory.mktemp("clip") / "tiny", tmp_path_factory.mktemp("words")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (raw / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (raw / "merges.txt").write_text("#version: 0.2\n")
    sizes = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4, "num_hidden_layers": 2}
    text = {"vocab_size": len(words), "bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1, "pad_token_id": 1}
    config = transformers.CLIPConfig(
        text_config=sizes | text, vision_config=sizes | {"image_size": 32, "patch_size": 8}, projection_dim=24
    )
    transformers.CLIPModel(config).save_pretrained(place)
    transformers.CLIPTokenizer.from_pretrained(raw, local_files_only=True, model_max_length=77).save_pretrained(place)
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor.save_pretrained(place)
    return place


def test_words_and_pictures_go_where_the_model_puts_them(folder: Path) -> None:
    import torch

    space = Contrastive(str(folder))
    assert space.width == 24 and space.name == "clip-24-tiny"
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    (seen,), words = space.pictures([picture]), space.words(["a cat", "two dogs that run"])
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    inputs = transformers.CLIPImageProcessor.from_pretrained(folder)(images=[picture], return_tensors="pt")
    tokens = transformers.CLIPTokenizer.from_pretrained(folder)(["a cat"], return_tensors="pt")
    with torch.inference_mode():
        whole = model(**inputs, **tokens)
    np.testing.assert_allclose(seen.vector, whole.image_embeds[0].numpy(), atol=1e-3)
    np.testing.assert_allclose(words[0], whole.text_embeds[0].numpy(), atol=1e-4)
    assert words.shape == (2, 24) and space.words([]).shape == (0, 24) and space.pictures([]) == []


def test_what_is_no_clip_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="cannot be read as CLIP or SigLIP: it is a bert"):
        Contrastive(str(tmp_path))
