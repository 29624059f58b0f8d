"""Which prompts an operator does not allow: a list of words and phrases, found also where they are disguised."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

DISGUISES = str.maketrans("013457@$!|", "oleastasil")
MAX_BYTES = 1_000_000


class Denied:
    """Decides about prompts; pure but for `from_file`."""

    def __init__(self, phrases: Iterable[str] = ()) -> None:
        """Args: phrases: words or phrases; case, accents and spaces do not matter."""
        self._patterns = [_pattern(plain) for phrase in phrases if (plain := _plain(phrase))]

    @classmethod
    def from_file(cls, path: str) -> Denied:
        """One phrase a line, # begins a comment; no path is no list.  Raises: ValueError that names the file."""
        if not path:
            return cls()
        try:
            if (size := Path(path).stat().st_size) > MAX_BYTES:
                raise ValueError(f"{path} has {size} bytes, a deny list may have {MAX_BYTES}")
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the deny list {path} cannot be read: {error}") from None
        return cls(line.split("#")[0] for line in lines)

    def __call__(self, prompt: str) -> bool:
        """Whether a prompt holds a phrase as whole words, plainly, with digits for letters, or letter by letter."""
        plain = _plain(prompt)
        forms = (plain, _plain(prompt.translate(DISGUISES)))
        return any(pattern.search(form) for pattern in self._patterns for form in forms)


def _plain(text: str) -> str:
    """Lower case without accents; words apart by one space."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", bare.replace("_", " ")))


def _pattern(plain: str) -> re.Pattern[str]:
    """Matches the words with anything or nothing between their letters but other letters."""
    letters = r"\s?".join(re.escape(c) for c in plain if c != " ")
    return re.compile(rf"\b{letters}(?:s|es)?\b")
