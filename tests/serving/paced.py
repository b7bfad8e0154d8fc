"""A language model that says what it was told to, at the pace it was told to."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ecg_llm.errors import ConfigError
from ecg_llm.prompt import Prompt


@dataclass
class Paced:
    """Gives one text to every prompt, word by word."""

    text: str
    pause_s: float = 0.0
    name: str = "scripted"
    hashes: dict[str, str] = field(default_factory=lambda: {"model.bin": "00"})

    def generate(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 256) -> list[str]:
        return [self.text for _ in prompts]

    def stream(self, prompt: Prompt, *, max_new_tokens: int = 256) -> Iterator[str]:
        for word in self.text.split(" ")[:max_new_tokens]:
            time.sleep(self.pause_s)
            yield word + " "


def broken() -> Paced:
    """Cannot be loaded."""
    raise ConfigError("no such model")


def with_child() -> Paced:
    """Starts a process of its own, as engines on several GPUs do, and is named after it."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    return Paced("one two", name=str(child.pid))
