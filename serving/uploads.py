"""Bodies of requests: read in bounds and in time, held in memory, never written to disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from ecg_llm.serving.errors import BadRequestError, TookTooLongError, TooLargeError
from ecg_llm.serving.recording import Upload, bundle

if TYPE_CHECKING:
    from starlette.requests import Request

    from ecg_llm.serving.guard import Call, Gate
    from ecg_llm.serving.settings import Settings

Model = TypeVar("Model", bound=BaseModel)
MAX_TEXT_BYTES = 64 * 1024
"""Of one field of a form."""
MAX_PARTS = 32
"""Files and fields of one form."""
MAX_VALUES = 100_000
"""Of a body of JSON; millions of empty ones would keep everybody waiting while they are read."""


async def read_form(
    request: Request,
    model: type[Model],
    file_fields: tuple[str, ...],
    settings: Settings,
    gate: Gate,
    call: Call,
) -> tuple[dict[str, Upload], Model]:
    """Read a ``multipart/form-data`` body: the uploads by field, and the other fields.

    The bytes are counted by the gate; a form that is too large or wrong is a `ServeError`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise BadRequestError("Send the ECG as the field `file` of a multipart/form-data form.")
    parser = MultiPartParser(
        request.headers,
        _limited(request, settings, gate, call),
        max_files=MAX_PARTS,
        max_fields=MAX_PARTS,
        max_part_size=MAX_TEXT_BYTES,
    )
    # Files stay in memory: patient data reaches no disk.
    parser.spool_max_size = settings.max_upload_bytes + 1
    try:
        form = await parser.parse()
    except (MultiPartException, UnicodeDecodeError, ValueError, KeyError):
        raise BadRequestError("The form is damaged, or one of its fields is too long.") from None
    files: dict[str, list[tuple[str, bytes]]] = {}
    texts: dict[str, str] = {}
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if name not in file_fields:
                    raise BadRequestError(f"Files are sent as {' and '.join(file_fields)}.")
                files.setdefault(name, []).append((value.filename or "", await value.read()))
            elif name in texts:
                raise BadRequestError("A field of the form stands twice.")
            elif value != "":
                texts[name] = value
    finally:
        await form.close()
    if "file" not in files:
        raise BadRequestError("The form has no file in its field `file`.")
    return {name: bundle(parts) for name, parts in files.items()}, checked(model, texts)


async def read_json(request: Request, settings: Settings, gate: Gate, call: Call) -> Any:
    """Read a body of JSON that is neither too large nor too deep and has not too many values."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind.lower() != "application/json":
        raise BadRequestError("Send JSON, with Content-Type: application/json.")
    body = bytearray()
    async for chunk in _limited(request, settings, gate, call):
        body += chunk
    if body.count(b",") > MAX_VALUES:  # before any of them takes memory
        raise BadRequestError(f"The JSON has more than {MAX_VALUES} values.")
    try:
        # Refuses NaN, halves of letters, and what is nested deeper than about 200.
        return from_json(bytes(body), allow_inf_nan=False)
    except ValueError:
        raise BadRequestError("The body is not JSON in UTF-8, or is nested too deep.") from None


def checked(model: type[Model], values: Any) -> Model:
    """Validate what a client sent, without repeating any of it in an error."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise BadRequestError(_explained(model, error)) from None


def _explained(model: type[BaseModel], error: ValidationError) -> str:
    """Say which fields are wrong, in words that no client chose."""
    known = _property_names(model.model_json_schema())
    told = []
    for item in error.errors(include_input=False, include_url=False):
        named = [str(part) for part in item["loc"] if isinstance(part, int) or part in known]
        place = ".".join(named) or "the body"
        match item["type"], item.get("ctx", {}):
            case "extra_forbidden", _:
                inside = f"{'.'.join(named)} holds" if named else "there is"
                fields = f" ({', '.join(model.model_fields)} are)" if not named else ""
                told.append(f"{inside} what is not a field here{fields}")
            case "missing", _:
                told.append(f"{place} is missing")
            case "literal_error" | "enum", {"expected": allowed}:
                told.append(f"{place} has to be {allowed}")
            case kind, limits:
                bounds = [
                    words.format(limits[name]) for name, words in BOUNDS.items() if name in limits
                ]
                told.append(f"{place} has to be {' and '.join(bounds) or KINDS.get(kind, OTHER)}")
    # Of a union, the kind that fits furthest tells what is wrong.
    told = [one for one in told if not any(_is_inside(other, one) for other in told)]
    return f"The request is not valid: {'; '.join(dict.fromkeys(told[:8]))}."


BOUNDS = {
    "ge": "at least {:g}",
    "gt": "more than {:g}",
    "le": "at most {:g}",
    "lt": "less than {:g}",
    "min_length": "at least {:g} long",
    "max_length": "at most {:g} long",
}
"""What a schema bounds a value by: our own numbers, nothing of the request."""
KINDS = {
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "model_type": "an object",
    "dict_type": "an object",
}
OTHER = "as /openapi.json describes it"


def _is_inside(inner: str, outer: str) -> bool:
    """Whether what is said of one place is about a part of the other's."""
    return inner.partition(" ")[0].startswith(outer.partition(" ")[0] + ".")


def _property_names(schema: Any) -> set[str]:
    """Collect the names that a JSON Schema uses for properties."""
    if isinstance(schema, list):
        return set().union(*map(_property_names, schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    names = set(schema.get("properties", {}))
    return names.union(*(_property_names(value) for value in schema.values()))


async def _limited(
    request: Request, settings: Settings, gate: Gate, call: Call
) -> AsyncGenerator[bytes, None]:
    """Give the body piece by piece, until it is too large or takes too long."""
    limit = settings.max_upload_bytes
    too_large = TooLargeError(
        f"More than the {limit / 2**20:.0f} MB that are taken in at one time."
    )
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    total = 0
    stream = request.stream()
    loop = asyncio.get_running_loop()
    end = loop.time() + settings.upload_s
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream, None), end - loop.time())
        except TimeoutError:
            raise TookTooLongError("The request did not arrive in time.", status=408) from None
        except ClientDisconnect:
            raise BadRequestError("The request broke off.") from None
        if chunk is None:
            return
        total += len(chunk)
        if total > limit:
            raise too_large
        gate.hold(call, len(chunk))
        yield chunk
