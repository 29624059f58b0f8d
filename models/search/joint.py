"""The packaged space: MiniLM's sentences, a classifier's names, and a head fitted to pictures with words.

A picture lies where three answers meet: the names that the classifier gives it, weighted by how likely they are; where
a regression from its features puts it (scenes, people and drawings, of which the classifier knows no names); and how
much of which look it has.  The head is fitted by `python -m reverie.models.train search`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from safetensors.numpy import load_file

from reverie.models import picture, weights
from reverie.models.search import classifier
from reverie.models.search.looks import meant, named
from reverie.models.search.sentences import Sentences
from reverie.models.search.space import F32, Picture, Seen, unit

SHIPPED = weights.SHIPPED.with_name("search.safetensors")
PLAIN = "original"  # the look of a photograph
TOP = 10  # names that count
TOLD = 5  # names that are told
SHARP = 25.0  # how decided shares of looks are
NAMED, FELT, WORN = 1.0, 0.6, 0.9  # weights of the three answers


class Joint:
    """Everything is loaded when it is first needed."""

    name, width = "minilm-1", 384

    @cached_property
    def _sentences(self) -> Sentences:
        return Sentences()

    @cached_property
    def _head(self) -> dict[str, F32]:
        """What `reverie.models.train.search` fitted.  D is the space's width, F the features', S the marks'.

        names (1000, D), content (F + 1, D), look (F + 1 + S, looks), mean and deviation (S,), looks (looks, D), phrases
        (P, D).
        """
        if not SHIPPED.is_file():
            raise FileNotFoundError(f"the head of the search space, {SHIPPED.name}, is missing")
        return {key: value.astype(np.float32) for key, value in load_file(SHIPPED).items()}

    @cached_property
    def look_names(self) -> list[str]:
        return list(json.loads(weights.describe(SHIPPED)["looks"]))

    @cached_property
    def _owners(self) -> list[str]:
        """The look of each phrase."""
        return list(json.loads(weights.describe(SHIPPED)["phrases"]))

    def words(self, texts: Sequence[str]) -> F32:
        return self._sentences(texts)

    def looks(self, text: str) -> list[str]:
        if not text.strip() or (found := named(text)):
            return found if text.strip() else []
        return meant(self.words([text])[0], self._head["phrases"], self._owners)

    def pictures(self, pictures: Sequence[Picture]) -> list[Seen]:
        if not pictures:
            return []
        deep, likely = classifier.look(pictures)
        marks = np.stack([picture.features(_large_enough(each)) for each in pictures])
        names, shares = classifier.names(), self.shares(deep, marks)
        named, felt, worn = self.answers(deep, likely, shares)
        found = []
        for row, share, vector in zip(likely, shares, unit(NAMED * named + FELT * felt + WORN * worn), strict=True):
            top, look = row.argsort()[::-1][:TOLD], self.look_names[int(share.argmax())]
            like = ("" if look == PLAIN else look.replace("_", " "), float(share.max()))
            found.append(Seen(vector, tuple((names[n], float(row[n])) for n in top), like))
        return found

    def answers(self, deep: F32, likely: F32, shares: F32) -> tuple[F32, F32, F32]:
        """The three (N, D): of names, of features, and of the look, which is nothing for a plain photograph."""
        head, top = self._head, np.sort(likely, 1)[:, -TOP, None]
        named = unit(np.where(likely >= top, likely, 0) @ head["names"])
        felt = unit(with_one(root(deep)) @ head["content"])
        worn = shares.copy()
        worn[:, self.look_names.index(PLAIN)] = 0
        return named, felt, worn @ head["looks"]

    def shares(self, deep: F32, marks: F32) -> F32:
        """How much of each look (N, looks)."""
        head = self._head
        scores = look_features(deep, marks, head["mean"], head["deviation"]) @ head["look"]
        power = np.exp(SHARP * (scores - scores.max(1, keepdims=True)))
        return np.asarray(power / power.sum(1, keepdims=True), np.float32)


def root(deep: F32) -> F32:
    """Features of rectified units, long tails drawn in, length one."""
    return unit(np.sqrt(np.maximum(deep, 0)))


def with_one(x: F32) -> F32:
    return np.concatenate((x, np.ones((len(x), 1), np.float32)), 1)


def look_features(deep: F32, marks: F32, mean: F32, deviation: F32) -> F32:
    """What a look is told by: the features, and statistics of colours and marks, of about the same size together."""
    standard = np.clip((marks - mean) / deviation, -4, 4) / np.float32(marks.shape[1] ** 0.5)
    return np.concatenate((with_one(root(deep)), standard), 1).astype(np.float32)


def _large_enough(pixels: Picture) -> Picture:
    """Statistics need 16 pixels a side."""
    need = [max(0, picture.SHORTEST - side) for side in pixels.shape[:2]]
    return np.pad(pixels, ((0, need[0]), (0, need[1]), (0, 0)), "edge") if any(need) else pixels
