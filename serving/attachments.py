"""The ECGs of a conversation: data in its messages, never an address to be fetched."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from ecg_llm.serving.chat_types import FilePart, ImagePart, Message
from ecg_llm.serving.errors import BadRequestError
from ecg_llm.serving.recording import Upload, bundle, safe_name

_DATA_URL = re.compile(r"data:[\w.+/-]{0,100}(?:;[\w.+-]{1,50}=[\w.+-]{0,100}){0,4}(;base64)?,")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:(?!$)")
_IMAGE_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/bmp": "bmp"}


def uploads_of(messages: Sequence[Message], most: int) -> list[Upload]:
    """Collect the recordings of a conversation, each once, in its order.

    Files of one message whose names differ only in their endings (``a.hea`` and ``a.dat``) are one
    recording.
    """
    found: dict[str, Upload] = {}
    for message in messages:
        if isinstance(message.content, str) or message.role != "user":
            continue
        groups: dict[str, list[tuple[str, bytes]]] = {}
        for k, part in enumerate(message.content or ()):
            if isinstance(part, FilePart):
                if part.file.file_data is None:
                    raise BadRequestError(
                        "A file part needs file_data: nothing is kept between requests, so there "
                        "is no file to be named by an id."
                    )
                name = safe_name(part.file.filename)
                stem = str(PurePosixPath(name).with_suffix(""))
                groups.setdefault(stem, []).append((name, decoded(part.file.file_data)))
            elif isinstance(part, ImagePart):
                kind = part.image_url.url[5:].partition(";")[0]
                name = f"image.{_IMAGE_ENDINGS.get(kind, 'bin')}"
                groups[f"image {k}"] = [(name, decoded(part.image_url.url, only_url=True))]
        for files in groups.values():
            upload = bundle(files)
            found.setdefault(upload.sha256, upload)
            if len(found) > most:
                raise BadRequestError(f"At most {most} recordings can be sent in one conversation.")
    return list(found.values())


def decoded(text: str, *, only_url: bool = False) -> bytes:
    """Read a data: URL, or base64 alone.

    Parameters
    ----------
    text : str
        As a client sent it.
    only_url : bool
        Whether base64 alone is refused.

    Returns
    -------
    bytes

    Raises
    ------
    BadRequestError
        If it is neither; an address is never fetched.

    Examples
    --------
    >>> decoded("data:text/csv;base64,SSwxMA=="), decoded("SSwxMA==")
    (b'I,10', b'I,10')
    """
    header = _DATA_URL.match(text)
    if header is None:
        if only_url or _ADDRESS.match(text):
            raise BadRequestError(
                "Files are sent as data: URLs inside the request; no address is fetched."
            )
        body = text
    elif header[1] is None:
        raise BadRequestError("A data: URL has to be in base64.")
    else:
        body = text[header.end() :]
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequestError("A file is not base64.") from None
