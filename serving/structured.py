"""Answers in the form that a client's JSON Schema asks for, filled from what was measured.

No language model fills a field: a number is a measured value or null, a finding its status. What
the record does not tell is refused, not invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ecg_llm.findings.case import LABELS
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.serving.errors import BadRequestError

if TYPE_CHECKING:
    from ecg_llm.findings.finding import Finding
    from ecg_llm.quantity import Quantity
    from ecg_llm.report import Report

Schema = Mapping[str, Any]
MAX_FIELDS = 1000
"""Of a form, what is referred to counted at every place where it is."""
KNOWN = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
        *("anyOf", "oneOf", "$ref", "$defs", "definitions", "minimum", "maximum", "nullable"),
        *("title", "description", "default", "examples", "$schema"),
    }
)
"""Keywords that are understood; a schema with another one is refused, not half obeyed."""
UNREADABLE = "The JSON Schema is not one that can be filled here."
_ALIASES = {
    "hr": "heart_rate_bpm",
    "heartrate": "heart_rate_bpm",
    "rate": "heart_rate_bpm",
    "ventricularrate": "heart_rate_bpm",
    "pr": "pr_ms",
    "printerval": "pr_ms",
    "qrs": "qrs_ms",
    "qrsduration": "qrs_ms",
    "qt": "qt_ms",
    "qtinterval": "qt_ms",
    "qtc": "qtc_fridericia_ms",
    "qtcms": "qtc_fridericia_ms",
    "qtcinterval": "qtc_fridericia_ms",
    "rr": "rr_ms",
    "axis": "qrs_axis_deg",
    "qrsaxis": "qrs_axis_deg",
    "paxis": "p_axis_deg",
    "taxis": "t_axis_deg",
}
_UNITS = re.compile(r"(ms|bpm|deg|degrees)$")
_TEXTS = {"answer", "text", "summary", "report", "narrative", "interpretation", "content"}
_LISTS = {"findings", "diagnoses", "statements", "labels"}
DEFAULT: Schema = {
    "type": "object",
    "properties": {
        "answer": {"type": "string"},
        "claims": {"type": "array", "items": {}},
        "findings": {"type": "array", "items": {}},
        "measurements": {"type": "object"},
        "not_judged": {"type": "array", "items": {}},
        "acceptable": {"type": "boolean"},
    },
    "required": ["answer", "claims", "findings", "measurements", "not_judged", "acceptable"],
}
"""The form of ``json_object``, for which the client names none."""


class Unfillable(Exception):  # noqa: N818  it is no error: it becomes the refusal of an answer
    """Something that the record does not tell was asked for."""


def fill(schema: Schema, report: Report, answer: str) -> Any:
    """Fill a form: a JSON Schema of objects, arrays, numbers, texts, yes or no, enums and nulls.

    ``answer`` is for fields such as ``answer`` and ``summary``. The schema was checked; a required
    field that the record does not tell ends with `Unfillable`.
    """
    try:
        value = _Form(schema, report, answer).of(schema, "", report)
        fits = _fits(value, schema, schema)
    except (TypeError, AttributeError, ValueError, KeyError, RecursionError):
        raise BadRequestError(UNREADABLE) from None
    if not fits:
        raise Unfillable("the form as a whole")
    return value


class _Form:
    """Fills one form from one report."""

    def __init__(self, root: Schema, report: Report, answer: str) -> None:
        self._root = root
        self._report = report
        self._answer = answer
        by_code = {finding.code: finding for finding in report.findings}
        self._findings = {
            _plain(word): by_code[code]
            for code, statement in STATEMENTS.items()
            if code in by_code
            for word in (code, statement.label)
        }
        self._values = {
            _plain(word): quantity
            for name, quantity in report.measurements.items()
            for word in (name, LABELS.get(name, name))
        }
        self._values |= {
            word: report.measurements[name]
            for word, name in _ALIASES.items()
            if name in report.measurements
        }

    def of(self, schema: Schema, name: str, about: Any) -> Any:
        """Fill one field from what stands behind it."""
        schema = _resolved(schema, self._root)
        for one in schema.get("anyOf", schema.get("oneOf", ())):
            try:
                value = self.of(one, name, about)
            except Unfillable:
                continue
            if value is not None:
                return value
        if "anyOf" in schema or "oneOf" in schema:
            return self._null(schema, name)
        if "const" in schema:
            raise Unfillable(name)  # a constant is the client's word, not the record's
        kinds = _kinds(schema)
        if about is self._report and name == "" and "object" in kinds:
            return self._object(schema, about)
        found = self._behind(name, about)
        for kind in kinds:
            value = self._as(kind, schema, found, name)
            if value is not None and _fits(value, schema, self._root):
                return value
        return self._null(schema, name)

    def _null(self, schema: Schema, name: str) -> None:
        """Leave a field open, if it may be."""
        if not _fits(None, schema, self._root):
            raise Unfillable(name)

    def _object(self, schema: Schema, about: Any) -> dict[str, Any]:
        """Fill the fields of an object."""
        required = set(schema.get("required", ()))
        filled = {}
        for key, field in schema.get("properties", {}).items():
            try:
                filled[key] = self.of(field, key, about)
            except Unfillable:
                if key in required:
                    raise
        return filled

    def _behind(self, name: str, about: Any) -> Any:
        """Find what a name stands for."""
        plain = _plain(name)
        if isinstance(about, dict):
            return about.get(name, about.get(plain))
        report = self._report
        if plain in _TEXTS:
            return self._answer
        if plain in _LISTS:
            return [f for f in report.findings if f.status == "present"]
        whole: dict[str, Any] = {
            "impression": list(report.impression),
            "conclusion": list(report.impression),
            "claims": [claim.model_dump() for claim in report.claims],
            "measurements": dict(report.measurements),
            "values": dict(report.measurements),
            "intervals": dict(report.measurements),
            "alerts": [alert.model_dump() for alert in report.alerts],
            "abstentions": [one.model_dump() for one in report.abstentions],
            "notjudged": [one.model_dump() for one in report.abstentions],
            "acceptable": report.quality.acceptable,
            "quality": report.quality.model_dump(),
            "leads": list(report.record.leads),
            "durations": report.record.duration_s,
            "fshz": report.record.fs_hz,
            "disclaimer": report.provenance.disclaimer,
            "provenance": report.provenance.model_dump(),
        }
        if plain in whole:
            return whole[plain]
        if plain in self._findings:
            return self._findings[plain]
        if plain in self._values:
            return self._values[plain]
        return self._values.get(_UNITS.sub("", plain))

    def _as(self, kind: str, schema: Schema, found: Any, name: str) -> Any:
        """Give what was found as JSON of one kind."""
        from ecg_llm.findings.finding import Finding
        from ecg_llm.quantity import Quantity

        match kind, found:
            case ("number", Quantity()):
                return None if found.value is None else round(found.value, 3)
            case ("integer", Quantity()):
                return None if found.value is None else round(found.value)
            case ("string", Quantity()):
                return f"{found:.0f}"
            case ("number", Finding()):
                return found.probability
            case ("boolean", Finding()):
                return _is_present(found)
            case ("string", Finding()):
                doubt = ", uncertain" if found.doubt else ""
                return f"{found.status if name else found.label}{doubt}"
            case ("object", Finding() | Quantity()):
                return self._object_of(schema, _told(found))
            case ("object", dict()):
                return self._object_of(schema, found)
            case ("array", list() | tuple()):
                return self._array(schema, list(found))
            case ("string", list() | tuple()):
                words = [self._as("string", {}, one, "") for one in found]
                return " ".join(word for word in words if word) if all(words) else None
            case ("string", str()):
                return found
            case ("boolean", bool()):
                return found
            case ("number" | "integer", int() | float()) if not isinstance(found, bool):
                return found if kind == "number" else round(found)
        return None

    def _object_of(self, schema: Schema, found: Mapping[str, Any]) -> dict[str, Any]:
        """Give named values as an object: all of them, or those that are asked for."""
        if "properties" not in schema:
            return {key: _json(value) for key, value in found.items()}
        if all(_is_quantity(value) for value in found.values()):
            return self._object(schema, None)
        return self._object(schema, dict(found))

    def _array(self, schema: Schema, found: list[Any]) -> list[Any]:
        """Give a list, each of its things in the form of the items."""
        items = _resolved(schema.get("items", {}), self._root)
        kinds = _kinds(items)
        filled = []
        for one in found:
            if not set(items) - {"description", "title"}:
                filled.append(_json(one))
                continue
            for kind in kinds:
                value = self._as(kind, items, one, "")
                if value is not None and _fits(value, items, self._root):
                    filled.append(value)
                    break
            else:
                raise Unfillable("an item of a list")
        return filled


def _told(thing: Finding | Quantity) -> dict[str, Any]:
    """Give a finding or a value under the names that forms use."""
    from ecg_llm.findings.finding import Finding

    told = asdict(thing)
    if isinstance(thing, Finding):
        told |= {"name": thing.label, "finding": thing.label, "present": _is_present(thing)}
    return told


def _is_present(finding: Finding) -> bool | None:
    """Say yes or no; neither of what was not judged, or is uncertain."""
    if finding.doubt:
        return None
    return {"present": True, "absent": False}.get(finding.status)


def _json(value: Any) -> Any:
    """Give anything of a report as plain JSON."""
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    return value


def _is_quantity(value: Any) -> bool:
    from ecg_llm.quantity import Quantity

    return isinstance(value, Quantity)


def _plain(name: str) -> str:
    """Compare names without their punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _kinds(schema: Schema) -> list[str]:
    """Give the JSON types that a schema allows, the wider ones last."""
    kind = schema.get("type")
    if kind is None:
        if "properties" in schema:
            return ["object"]
        if "items" in schema:
            return ["array"]
        return ["string", "number", "boolean", "array", "object"]
    kinds = [kind] if isinstance(kind, str) else list(kind)
    return [one for one in kinds if one != "null"]


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Follow references inside the document."""
    for _ in range(32):
        if "$ref" not in schema:
            return schema
        if not isinstance(schema["$ref"], str):
            break
        place: Any = root
        for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
            place = place.get(part) if part and isinstance(place, Mapping) else place
        if not isinstance(place, Mapping):
            break
        schema = place
    raise BadRequestError("The JSON Schema has a reference that leads nowhere.")


def check(schema: Any) -> None:
    """Refuse a schema that uses what is not understood, or is beyond any size."""
    layer: list[Any] = [schema]
    count = 0
    while layer:
        one = layer.pop()
        count += 1
        if count > MAX_FIELDS or not isinstance(one, Mapping):
            raise BadRequestError(UNREADABLE)
        unknown = set(one) - KNOWN
        reference = one.get("$ref", "#")
        if unknown or not isinstance(reference, str) or not reference.startswith("#"):
            raise BadRequestError(
                "The JSON Schema may use types, properties, required, items, enum, anyOf, minimum, "
                "maximum and references inside itself; nothing else is checked here."
            )
        for key in ("properties", "$defs", "definitions"):
            inner = one.get(key, {})
            if not isinstance(inner, Mapping):
                raise BadRequestError(UNREADABLE)
            layer += list(inner.values())
        for key in ("anyOf", "oneOf"):
            inner = one.get(key, ())
            if not isinstance(inner, list | tuple):
                raise BadRequestError(UNREADABLE)
            layer += inner
        if "$ref" in one:
            layer.append(_resolved(one, schema))
        layer += [
            one[k] for k in ("items", "additionalProperties") if isinstance(one.get(k), Mapping)
        ]


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def _fits(value: Any, schema: Schema, root: Schema) -> bool:
    """Tell whether a value keeps to a schema."""
    schema = _resolved(schema, root)
    choices = schema.get("anyOf", schema.get("oneOf"))
    if choices is not None and not any(_fits(value, one, root) for one in choices):
        return False
    kinds = schema.get("type")
    if kinds is not None:
        named = [kinds] if isinstance(kinds, str) else kinds
        allowed = tuple(kind for name in named for kind in _TYPES.get(name, ()))
        if not isinstance(value, allowed):
            return False
        if isinstance(value, bool) and bool not in allowed:
            return False
    elif schema.get("nullable") is not True and value is None and choices is None and schema:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        if not set(schema.get("required", ())) <= set(value):
            return False
        if schema.get("additionalProperties") is False and not set(value) <= set(properties):
            return False
        return all(
            _fits(value[key], field, root) for key, field in properties.items() if key in value
        )
    if isinstance(value, list) and "items" in schema:
        return all(_fits(one, schema["items"], root) for one in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True
