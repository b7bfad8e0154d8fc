"""What a client of OpenAI's chat API sends; only what is known here is read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ecg_llm.serving.recording import ReadingFields

MAX_MESSAGES = 200
MAX_TEXT = 20_000
"""Letters of one text."""
MAX_PARTS = 64
"""Texts and files of one message."""


class _Sent(BaseModel):
    """A part of a request; keys that are not known here are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class TextPart(_Sent):
    """Words."""

    type: Literal["text", "input_text"]
    text: str = Field(max_length=MAX_TEXT)


class FileData(_Sent):
    """A file."""

    filename: str = Field("upload", max_length=4096)
    file_data: str | None = Field(None, description="data: URL or base64.")
    file_id: str | None = Field(None, description="Not served: nothing is kept between requests.")


class FilePart(_Sent):
    """An ECG as a file. A media id that a client sends with it is not read."""

    type: Literal["file"]
    file: FileData


class ImageUrl(_Sent):
    """An image in the request itself."""

    url: str = Field(description="data: URL; no other address is fetched.")


class ImagePart(_Sent):
    """A page image of an ECG."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | FilePart | ImagePart, Field(discriminator="type")]


class Message(_Sent):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: (
        Annotated[str, Field(max_length=MAX_TEXT)]
        | Annotated[list[Part], Field(max_length=MAX_PARTS)]
        | None
    ) = None

    def texts(self) -> str:
        """Give its words."""
        if isinstance(self.content, str):
            return self.content
        parts = self.content or ()
        return "\n".join(part.text for part in parts if isinstance(part, TextPart))


class JsonSchema(_Sent):
    """A form that the answer is to have."""

    name: str = Field("answer", max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    schema_: dict[str, Any] | None = Field(None, alias="schema")


class ResponseFormat(_Sent):
    """How the answer is written."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Function(_Sent):
    """A function that a client offers."""

    name: str = Field(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    parameters: dict[str, Any] | None = None


class Tool(_Sent):
    """A tool that a client offers."""

    type: Literal["function"]
    function: Function


class NamedFunction(_Sent):
    """Name of a function."""

    name: str = Field(max_length=64)


class NamedTool(_Sent):
    """The tool that is to be called."""

    type: Literal["function"]
    function: NamedFunction


class StreamOptions(_Sent):
    """Options of a stream."""

    include_usage: bool | None = None


class ChatRequest(_Sent):
    """A request for an answer.

    Options of sampling are passed over: the likeliest words are said.
    """

    model: str = Field(
        max_length=200,
        json_schema_extra={"anyOf": [{"enum": ["default", "measured"]}, {"type": "string"}]},
        description="default, measured, or the name of the server's model.",
    )
    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    stop: Literal[None] = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = Field(None, max_length=128)
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    ecg: ReadingFields = Field(
        ReadingFields.model_construct(),
        description="Ours: what the client says of the recordings beside their files.",
    )
