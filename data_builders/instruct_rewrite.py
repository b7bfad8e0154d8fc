"""Let a language model vary the wording; what changes a claim is thrown away."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecg_llm.claims.same import same_claims
from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    import httpx

API_KEY = "ECGLLM_REWRITER_KEY"
"""Environment variable with the key of the server, if it needs one."""
GIVE_UP_AFTER = 3
"""Failures in a row after which a worker asks no more."""
_TASK = (
    "Rewrite the text in other words, in English. Keep every number, unit, lead, finding, negation "
    "and degree of certainty exactly. Add nothing and leave nothing out. Answer with the text only."
)


@dataclass(frozen=True)
class RewriterConfig:
    """An OpenAI-compatible chat server.

    Attributes
    ----------
    url : str
        Base, with or without ``/v1``.
    model : str
        Its name on the server.
    timeout_s : float
        For one answer.
    retries : int
        Further tries after a failure.
    concurrency : int
        Requests at once of each worker.
    """

    url: str
    model: str = "default"
    timeout_s: float = 60.0
    retries: int = 2
    concurrency: int = 4

    def __post_init__(self) -> None:
        """Refuse what is no web address."""
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(f"--rewriter {self.url!r}: an address with http:// is needed.")

    @property
    def endpoint(self) -> str:
        """Where chat requests go."""
        base = self.url.rstrip("/")
        for ending in ("/chat/completions", "/v1"):
            base = base.removesuffix(ending)
        return f"{base}/v1/chat/completions"


class Rewriter:
    """Asks a server for other words.

    Parameters
    ----------
    config : RewriterConfig
        The server.
    """

    def __init__(self, config: RewriterConfig) -> None:
        self.config = config

    def turns(self, turns: Sequence[str], tally: Counter[str]) -> tuple[tuple[str, ...], bool]:
        """Rewrite the assistant's turns; a rewrite that claims anything else is thrown away.

        Parameters
        ----------
        turns : sequence of str
            User and assistant by turns.
        tally : Counter
            Counts ``rewrites kept``, ``rewrites thrown away`` and ``rewrites failed``.

        Returns
        -------
        tuple of (tuple of str, bool)
            The turns, and whether any was rewritten.
        """
        ours = turns[1::2]
        with ThreadPoolExecutor(self.config.concurrency) as pool:
            answers = list(pool.map(self._ask, ours))
        out, kept = list(turns), False
        for k, (before, after) in enumerate(zip(ours, answers, strict=True)):
            if after is None:
                tally["rewrites failed"] += 1
            elif not after or same_claims(before, after):
                tally["rewrites thrown away"] += 1
            else:
                tally["rewrites kept"] += 1
                out[2 * k + 1] = after
                kept = True
        return tuple(out), kept

    def _ask(self, text: str) -> str | None:
        """Ask for one text; None if the server does not answer."""
        import httpx

        state = _state(self.config.endpoint)
        if state["failures"] >= GIVE_UP_AFTER:
            return None
        body = {
            "model": self.config.model,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": _TASK},
                {"role": "user", "content": text},
            ],
        }
        client = _client(self.config.timeout_s)
        for _ in range(self.config.retries + 1):
            try:
                answer = client.post(self.config.endpoint, json=body)
                answer.raise_for_status()
                said = answer.json()["choices"][0]["message"]["content"]
            except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError):
                continue
            state["failures"] = 0
            return said.strip() if isinstance(said, str) else ""
        state["failures"] += 1
        return None


@functools.cache
def _client(timeout_s: float) -> httpx.Client:
    """Make one client a process."""
    import httpx

    key = os.environ.get(API_KEY)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(timeout=timeout_s, headers=headers)


@functools.cache
def _state(endpoint: str) -> dict[str, Any]:
    """Remember the failures of a server, in this process."""
    return {"endpoint": endpoint, "failures": 0}
