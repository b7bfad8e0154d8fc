"""XML that cannot harm: bounded, no entities, nothing fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_TEXT_BYTES
from ecg_llm.io.source import Source

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def root_name(head: bytes) -> str | None:
    """Give the local name of the first element.

    Parameters
    ----------
    head : bytes
        Beginning of a file, in any encoding that XML allows.

    Returns
    -------
    str or None
        None if it does not begin as XML does; empty if the first element is not in sight.

    Examples
    --------
    >>> root_name(b'<?xml version="1.0"?><!-- x --><h:AnnotatedECG xmlns:h="urn:hl7-org:v3">')
    'AnnotatedECG'
    """
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = head.decode("utf-16" if wide else "latin-1", errors="replace").lstrip("\ufeffï»¿ \t\r\n")
    if not text.startswith("<"):
        return None
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    match = re.search(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)", text)
    return match[1] if match else ""


def parse(source: Source) -> Element:
    """Parse a whole file.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    xml.etree.ElementTree.Element
        The root, with namespaces taken off all names.

    Raises
    ------
    RecordError
        If it is not well formed, declares entities or is too large.

    Notes
    -----
    A document type that names a DTD, as GE MUSE writes, is accepted; the DTD is never opened.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    data = source.require_size(MAX_TEXT_BYTES)
    try:
        root = ElementTree.fromstring(data, forbid_dtd=False, forbid_entities=True)
    except DefusedXmlException as error:
        raise RecordError(
            f"{source.label}: the XML declares entities or refers to other files, which is "
            "refused; an ECG needs neither."
        ) from error
    except ParseError as error:
        line, column = error.position
        raise RecordError(
            f"{source.label}: not well-formed XML at line {line}, column {column}; the file is cut "
            "off or damaged."
        ) from error
    except (ValueError, LookupError) as error:
        raise RecordError(f"{source.label}: XML in an unknown encoding.") from error
    element: Element
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def number(text: str | None, what: str, label: str) -> float:
    """Read a finite number.

    Parameters
    ----------
    text : str or None
        As in the file.
    what : str
        What it is, for the error.
    label : str
        The file, for the error.

    Returns
    -------
    float

    Raises
    ------
    RecordError
        If it is missing or not a finite number.
    """
    try:
        value = float((text or "").strip())
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e12:
        raise RecordError(f"{label}: {what} is missing or not a number.")
    return value
