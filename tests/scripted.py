"""Language models that say what they were made with, or fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


class Scripted:
    """An engine that gives the texts it was made with, one after the other."""

    def __init__(self, *texts: str) -> None:
        self.name = "scripted"
        self.hashes = {"weights": "0" * 64}
        self.texts = list(texts)
        self.prompts: list[Any] = []

    def generate(self, prompts: Sequence[Any], *, max_new_tokens: int) -> list[str]:
        """Give the next text for each prompt."""
        self.prompts += prompts
        return [self.texts.pop(0) if len(self.texts) > 1 else self.texts[0] for _ in prompts]

    def stream(self, prompt: Any, *, max_new_tokens: int) -> Iterator[str]:
        """Give the next text in pieces of three characters."""
        text = self.generate([prompt], max_new_tokens=max_new_tokens)[0]
        yield from (text[k : k + 3] for k in range(0, len(text), 3))


class Broken(Scripted):
    """An engine that fails."""

    def generate(self, prompts: Sequence[Any], *, max_new_tokens: int) -> list[str]:
        """Fail as an engine out of memory does."""
        raise MemoryError("no room")
