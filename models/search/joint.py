"""The packaged space: MiniLM's sentences, a classifier's names, and a head fitted to pictures with words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from safetensors.numpy import load_file

from reverie.models import weights
from reverie.models.search import classifier
from reverie.models.search.sentences import Sentences
from reverie.models.search.space import F32, Picture, Seen, unit

SHIPPED = weights.SHIPPED.with_name("search.safetensors")
TOP = 10  # names that count
TOLD = 5  # names that are told


class Joint:
    """Everything is loaded when it is first needed."""

    name, width = "minilm-1", 384

    @cached_property
    def _sentences(self) -> Sentences:
        return Sentences()

    @cached_property
    def _head(self) -> dict[str, F32]:
        """names (1000, D): where the classes lie."""
        if not SHIPPED.is_file():
            raise FileNotFoundError(f"the head of the search space, {SHIPPED.name}, is missing")
        return {key: value.astype(np.float32) for key, value in load_file(SHIPPED).items()}

    def words(self, texts: Sequence[str]) -> F32:
        return self._sentences(texts)

    def pictures(self, pictures: Sequence[Picture]) -> list[Seen]:
        _, likely = classifier.look(pictures)
        names = classifier.names()
        found = []
        for row in likely:
            top = row.argsort()[::-1][:TOP]
            vector = unit((row[top, None] * self._head["names"][top]).sum(0))
            found.append(Seen(vector, tuple((names[n], float(row[n])) for n in top[:TOLD])))
        return found
