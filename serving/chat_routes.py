"""The routes that OpenAI's clients use: chat with ECGs in it, and the list of models."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

import ecg_llm
from ecg_llm.prompt import REPORT_QUESTION
from ecg_llm.serving.answering import Answer
from ecg_llm.serving.attachments import uploads_of
from ecg_llm.serving.chat_types import ChatRequest, Message, NamedTool
from ecg_llm.serving.errors import BadRequestError, ServeError
from ecg_llm.serving.guard import call_of, error_body
from ecg_llm.serving.server import ERRORS, Server
from ecg_llm.serving.structured import DEFAULT, Unfillable, check, fill
from ecg_llm.serving.uploads import checked, read_json

if TYPE_CHECKING:
    from ecg_llm.assistant import Analysis
    from ecg_llm.ground.sentence import Sentence
    from ecg_llm.serving.guard import Call


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """A request, read."""

    request: ChatRequest
    history: list[tuple[str, str]]
    found: list[Analysis]
    answer: Answer
    max_new_tokens: int
    id: str
    created: int


def _form(request: ChatRequest) -> tuple[str | None, Any] | None:
    """Give the form the answer is to have: name of a function or None, and its JSON Schema."""
    choice, tools = request.tool_choice, request.tools or []
    if choice == "required" and tools:
        return tools[0].function.name, tools[0].function.parameters or {"type": "object"}
    if isinstance(choice, NamedTool):
        for tool in tools:
            if tool.function.name == choice.function.name:
                return tool.function.name, tool.function.parameters or {"type": "object"}
        raise BadRequestError("tool_choice names no function of tools.")
    wanted = request.response_format
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return None, DEFAULT
    if wanted.json_schema is None or wanted.json_schema.schema_ is None:
        raise BadRequestError("response_format of type json_schema needs json_schema.schema.")
    return None, wanted.json_schema.schema_


def chat_router(server: Server) -> APIRouter:
    """Make the routes."""
    router = APIRouter(prefix="/v1", tags=["Chat"], responses=ERRORS)
    body = {"content": {"application/json": {"schema": ChatRequest.model_json_schema()}}}

    @router.get("/models", summary="The models that can be asked")
    async def models() -> JSONResponse:
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "ecg_llm"}
            for name in server.answering.models()
        ]
        return JSONResponse({"object": "list", "data": listed})

    @router.post(
        "/chat/completions",
        summary="Answer a conversation about ECGs",
        openapi_extra={"requestBody": {"required": True, **_inlined(body)}},
    )
    async def completions(request: Request) -> Response:
        call = call_of(request)
        value = await read_json(request, server.settings, server.gate, call)
        wanted = checked(ChatRequest, value)
        form = _form(wanted)
        if form is not None:  # a form that cannot be filled is refused before anything is read
            check(form[1])
        asked = await _read(server, call, wanted)
        sentences = server.answering.sentences(
            call, asked.answer, asked.history, asked.found, asked.max_new_tokens
        )
        if asked.request.stream and form is None:
            # The first sentence is waited for, so that what fails early is an error as usual.
            first = await anext(sentences, None)
            return StreamingResponse(
                _events(asked, first, sentences, call), media_type="text/event-stream"
            )
        async for _ in sentences:
            pass
        message: dict[str, Any] = {"role": "assistant", "content": asked.answer.text}
        reason = "stop"
        if form is not None:
            message, reason = await asyncio.to_thread(_filled, asked, *form)
        ours = await asyncio.to_thread(_ours, asked)
        if asked.request.stream:
            return StreamingResponse(
                _whole(asked, message, reason, ours), media_type="text/event-stream"
            )
        choice = {
            "index": 0,
            "message": {"refusal": None, **message},
            "finish_reason": reason,
            "logprobs": None,
        }
        return JSONResponse(
            {
                **_head(asked, "chat.completion"),
                "choices": [choice],
                "usage": _usage(asked.answer),
                "ecg": ours,
            }
        )

    return router


async def _read(server: Server, call: Call, request: ChatRequest) -> _Asked:
    """Read a request: its history, and its ECGs through the reader processes."""
    model = server.answering.chosen(call, request.model)
    history = _history(request.messages)
    uploads = uploads_of(request.messages, server.settings.max_files)
    await server.record(call, "/v1/chat/completions", uploads, model)
    found = [
        await server.intake.analyse(call, upload, request.ecg, earlier=upload is not uploads[-1])
        for upload in uploads
    ]
    wanted = request.max_completion_tokens or request.max_tokens or server.settings.max_new_tokens
    return _Asked(
        request=request,
        history=history,
        found=found,
        answer=Answer(model=model),
        max_new_tokens=min(wanted, server.settings.max_new_tokens),
        id=f"chatcmpl-{call.request_id}",
        created=int(time.time()),
    )


def _history(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Give the conversation by turns; whoever speaks twice is joined.

    What a system message or a tool says is no fact about the ECG, and no instruction can turn the
    check off, so neither is shown to the model.
    """
    turns: list[tuple[str, str]] = []
    for message in messages:
        if message.role not in ("user", "assistant"):
            continue
        text = message.texts().strip()
        if turns and turns[-1][0] == message.role:
            text = "\n".join(part for part in (turns.pop()[1], text) if part)
        turns.append((message.role, text))
    while turns and turns[0][0] == "assistant":
        turns.pop(0)
    if turns and turns[-1][0] == "assistant" and messages[-1].role == "tool":
        turns.pop()  # the answer to a call that the client has made
    if not turns or turns[-1][0] != "user":
        raise BadRequestError("The last message has to be the user's.")
    return [(role, text or (REPORT_QUESTION if role == "user" else text)) for role, text in turns]


def _filled(asked: _Asked, function: str | None, schema: Any) -> tuple[dict[str, Any], str]:
    """Give the answer in the form that was asked for, or say what the record does not tell."""
    from ecg_llm.assistant import report_on

    if not asked.found:
        return {"role": "assistant", "content": None, "refusal": asked.answer.text}, "stop"
    report = report_on(asked.found[-1], model="none")
    try:
        value = json.dumps(fill(schema, report, asked.answer.text), ensure_ascii=False)
    except Unfillable as missing:
        text = f"The record does not tell what the form asks for: {str(missing) or 'its fields'}."
        return {"role": "assistant", "content": None, "refusal": text}, "stop"
    if function is None:
        return {"role": "assistant", "content": value}, "stop"
    tool = {
        "id": f"call_{asked.id.removeprefix('chatcmpl-')[:24]}",
        "type": "function",
        "function": {"name": function, "arguments": value},
    }
    return {"role": "assistant", "content": None, "tool_calls": [tool]}, "tool_calls"


async def _events(
    asked: _Asked,
    first: Sentence | None,
    sentences: AsyncGenerator[Sentence],
    call: Call,
) -> AsyncGenerator[str]:
    """Send sentences as they are checked."""
    yield _event(asked, {"role": "assistant", "content": ""})
    try:
        if first is not None:
            yield _event(asked, {"content": first.before + first.text}, ours=_sentence(first))
            async for one in sentences:
                yield _event(asked, {"content": one.before + one.text}, ours=_sentence(one))
    except ServeError as error:
        # The status has gone out already; clients read an error in the stream.
        call.outcome = error.kind
        yield f"data: {json.dumps(error_body(error))}\n\ndata: [DONE]\n\n"
        return
    ours = await asyncio.to_thread(_ours, asked)
    yield _event(asked, {}, reason="stop", ours={"ecgs": ours["ecgs"]})
    for line in _end(asked):
        yield line


async def _whole(
    asked: _Asked, message: dict[str, Any], reason: str, ours: dict[str, Any]
) -> AsyncGenerator[str]:
    """Send an answer of a given form, which is checked as a whole."""
    for k, tool in enumerate(message.get("tool_calls", ())):
        tool["index"] = k
    yield _event(asked, message)
    yield _event(asked, {}, reason=reason, ours=ours)
    for line in _end(asked):
        yield line


def _end(asked: _Asked) -> list[str]:
    """Give the last events of a stream."""
    lines = []
    if asked.request.stream_options is not None and asked.request.stream_options.include_usage:
        head = {**_head(asked, "chat.completion.chunk"), "choices": []}
        lines.append(f"data: {json.dumps({**head, 'usage': _usage(asked.answer)})}\n\n")
    return [*lines, "data: [DONE]\n\n"]


def _event(
    asked: _Asked,
    delta: dict[str, Any],
    *,
    reason: str | None = None,
    ours: dict[str, Any] | None = None,
) -> str:
    """Write one event of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
    event = {**_head(asked, "chat.completion.chunk"), "choices": [choice]}
    if ours is not None:
        event["ecg"] = ours
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n"


def _head(asked: _Asked, kind: str) -> dict[str, Any]:
    return {
        "id": asked.id,
        "object": kind,
        "created": asked.created,
        "model": asked.answer.model,
        "system_fingerprint": f"ecg_llm-{ecg_llm.__version__}",
    }


def _usage(answer: Answer) -> dict[str, Any]:
    used = answer.usage
    return {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.completion,
        "total_tokens": used.prompt + used.completion,
        "prompt_tokens_details": {"cached_tokens": 0, "ecg_tokens": used.ecg},
    }


def _sentence(one: Sentence) -> dict[str, Any]:
    """Give a sentence with what it rests on and what the check did to it."""
    return {
        "text": one.text,
        "kind": one.kind,
        "evidence": [asdict(item) for item in one.evidence],
        "change": None if one.change is None else one.change.model_dump(),
    }


def _ours(asked: _Asked) -> dict[str, Any]:
    """Give the sentences, and of every ECG what was judged, by what."""
    from ecg_llm.assistant import report_on

    ecgs = []
    for found in asked.found:
        report = report_on(found, model="none")
        ecgs.append(
            {
                "name": report.record.name,
                "acceptable": report.quality.acceptable,
                "reasons": list(report.quality.reasons),
                "provenance": report.provenance.model_dump(),
            }
        )
    return {"sentences": [_sentence(one) for one in asked.answer.sentences], "ecgs": ecgs}


def _inlined(body: dict[str, Any]) -> dict[str, Any]:
    """Put the parts of a schema where they are referred to, as OpenAPI wants it."""
    schema = body["content"]["application/json"]["schema"]
    parts = schema.pop("$defs", {})

    def put(value: Any) -> Any:
        if isinstance(value, list):
            return [put(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return put(parts[value["$ref"].rsplit("/", 1)[-1]])
        # The mapping of a discriminator names parts that stand in no component.
        return {key: put(one) for key, one in value.items() if key != "discriminator"}

    return {"content": {"application/json": {"schema": put(schema)}}}
