"""A look as the network is asked for it: embeddings, guidance, scales."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from reverie.models.blend import Blend
from reverie.models.diffusion.ask import Named, mixed
from reverie.models.diffusion.words import Words, mix

if TYPE_CHECKING:
    from reverie.models.diffusion.network import ImageModel


class Wish(NamedTuple):
    """Of one stream, until its look changes."""

    words: Words  # of one row
    negative: Words | None  # of one row; None: guidance leads away from the camera's picture
    picture: Tensor | None  # (1, T, D); None where the model takes no pictures
    loras: Named
    controls: Named
    guidance: float
    steady: float

    @property
    def rows(self) -> int:
        """Beside those of the steps: one for a negative prompt."""
        return int(self.negative is not None and self.guidance != 1)


def read(model: ImageModel, look: Blend) -> Wish:
    """Args: look: without the camera.  Raises: ValueError if it asks for what is not there."""
    asked = mixed(look)
    model.loras.check(asked.loras)
    model.controls.check(asked.controls)
    said = [(model.words(ask.words, asked.loras), share) for ask, share in asked.texts]
    words = mix(said) if said else model.words("", asked.loras)
    negative = None
    if any(ask.negative for ask, _ in asked.texts):
        negative = mix([(model.words(ask.negative, asked.loras), share) for ask, share in asked.texts])
    if asked.pictures and model.reference is None:
        raise ValueError(f"{model.name} has no ip_adapter: it takes no reference pictures")
    picture = model.reference.mixed(asked.pictures) if model.reference is not None else None
    return Wish(words, negative, picture, asked.loras, asked.controls, asked.guidance, asked.steady)
