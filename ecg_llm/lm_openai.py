"""A language model behind a server of OpenAI's form; it is shown the text of the prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from ecg_llm.prompt import Prompt

TIMEOUT_S = 120.0
KEY_VARIABLE = "ECGLLM_API_KEY"
"""Environment variable of the server's key, if it wants one."""


class OpenAIModel:
    """A server's model.

    Parameters
    ----------
    url : str
        Up to ``/v1``; behind a ``#`` may stand the model's name, else it is the server's first.
    transport : httpx.BaseTransport, optional
        How requests are sent.

    Notes
    -----
    The request holds the words of the prompt, thus values and findings of the ECG, and no name,
    file name or signal.
    """

    def __init__(self, url: str, transport: Any = None) -> None:
        import os

        if find_spec("httpx") is None:
            raise ConfigError(f"{url}: a server's model needs httpx: pip install httpx.")
        import httpx

        base, _, name = url.partition("#")
        base = base.rstrip("/")
        base = base if base.endswith("/v1") else f"{base}/v1"
        key = os.environ.get(KEY_VARIABLE)
        self.url = base
        self.hashes: dict[str, str] = {}
        self._client = httpx.Client(
            timeout=TIMEOUT_S,
            transport=transport,
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )
        self.name = name or self._first_model()

    def generate(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 256) -> list[str]:
        """Answer prompts, one request each."""
        out = []
        for prompt in prompts:
            reply = self._send("POST", "/chat/completions", self._body(prompt, max_new_tokens))
            try:
                out.append(str(reply["choices"][0]["message"]["content"] or ""))
            except (KeyError, IndexError, TypeError):
                raise self._odd("choices[0].message.content", reply) from None
        return out

    def stream(self, prompt: Prompt, *, max_new_tokens: int = 256) -> Iterator[str]:
        """Answer a prompt piece by piece."""
        import httpx

        body = self._body(prompt, max_new_tokens) | {"stream": True}
        try:
            with self._client.stream("POST", f"{self.url}/chat/completions", json=body) as reply:
                if reply.status_code != 200:
                    reply.read()
                    raise self._refused(reply)
                for line in reply.iter_lines():
                    data = line.removeprefix("data:").strip()
                    if not line.startswith("data:") or data == "[DONE]":
                        continue
                    for choice in json.loads(data).get("choices", ()):
                        if piece := (choice.get("delta") or {}).get("content"):
                            yield str(piece)
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            raise ConfigError(f"{self.url}: the answer broke off ({error}).") from error

    def _body(self, prompt: Prompt, max_new_tokens: int) -> dict[str, Any]:
        messages = [
            {"role": m["role"], "content": "".join(part["text"] for part in m["content"])}
            for m in prompt.without_tokens().messages
        ]
        return {
            "model": self.name,
            "messages": messages,
            "max_tokens": max_new_tokens,
            "temperature": 0.0,
            "seed": 0,
        }

    def _first_model(self) -> str:
        reply = self._send("GET", "/models")
        try:
            return str(reply["data"][0]["id"])
        except (KeyError, IndexError, TypeError):
            raise self._odd("data[0].id", reply) from None

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        import httpx

        try:
            reply = self._client.request(method, self.url + path, json=body)
        except httpx.HTTPError as error:
            raise ConfigError(
                f"{self.url}: no answer ({error}); is the server running there?"
            ) from error
        if reply.status_code != 200:
            raise self._refused(reply)
        try:
            return reply.json()
        except json.JSONDecodeError as error:
            raise ConfigError(f"{self.url}{path}: the answer is not JSON.") from error

    def _refused(self, reply: Any) -> ConfigError:
        hint = f" Set {KEY_VARIABLE} to the server's key." if reply.status_code == 401 else ""
        return ConfigError(
            f"{self.url}: the server answered {reply.status_code}: {reply.text[:200]!r}.{hint}"
        )

    def _odd(self, what: str, reply: Any) -> ConfigError:
        return ConfigError(
            f"{self.url}: the answer has no {what}, but {json.dumps(reply)[:200]}; a server of "
            "OpenAI's form is needed."
        )
