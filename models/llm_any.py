"""Any causal language model of this machine as a writer of prompts: SmolLM2 by our own code, others by transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch

from reverie.models import llm
from reverie.models.enhance import rewrite


class Writing(Protocol):
    """What `enhance` needs of an LLM."""

    def enhance(self, prompt: str) -> Iterator[str]: ...


class Through:
    """A model of transformers, with its tokenizer.  Calls may come from any thread: each has a cache of its own."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model.eval().requires_grad_(False), tokenizer
        ends = model.generation_config.eos_token_id
        self.end = frozenset(ends if isinstance(ends, list) else [ends])

    @torch.inference_mode()
    def generate(self, text: str, max_tokens: int) -> Iterator[str]:
        """Greedy continuation of `text`, in pieces as they are made; ends at an end token or after `max_tokens`."""
        made: list[int] = []
        told, cache = "", None
        tokens = self.tokenizer(text, return_tensors="pt").input_ids
        while len(made) < max_tokens:
            answer = self.model(input_ids=tokens, past_key_values=cache, use_cache=True)
            token, cache = int(answer.logits[0, -1].argmax()), answer.past_key_values
            if token in self.end:
                return
            made.append(token)
            tokens = torch.tensor([[token]])
            whole = self.tokenizer.decode(made, skip_special_tokens=True)
            if not whole.endswith("�"):  # else in the middle of a character
                yield whole[len(told) :]
                told = whole

    def enhance(self, prompt: str) -> Iterator[str]:
        """Pieces of a richer prompt that begins with the raw one; see enhance.py."""
        return rewrite(prompt, self.generate)


def load(source: str | Path | None = None) -> Writing:
    """See llm.load; a file or folder that is another architecture is read by transformers, safetensors or GGUF only.

    Raises: FileNotFoundError, ValueError with one sentence.
    """
    try:
        return llm.load(source)
    except (ValueError, FileNotFoundError) as error:
        path = Path(source) if source is not None else None
        if path is None or not ((path / "config.json").is_file() or (path.suffix == ".gguf" and path.is_file())):
            raise
        return _through_transformers(path, error)


def _through_transformers(path: Path, ours: Exception) -> Through:
    """Args: ours: why our own code does not read it.  No code of the folder is run."""
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise ValueError(f"{ours}; other language models need reverie[diffusion]") from None
    folder, file = (path, {}) if path.is_dir() else (path.parent, {"gguf_file": path.name})
    if path.is_dir() and not any(path.glob("*.safetensors")):
        raise ValueError(f"{path.name} has no safetensors; other formats can run code and are not read")
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False, **file}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, dtype=torch.float32, **options)
    except (ValueError, OSError, KeyError, ImportError, RuntimeError) as error:
        raise ValueError(f"{path.name} cannot be read: {str(error).splitlines()[0][:200]}") from None
    return Through(model, tokenizer)
