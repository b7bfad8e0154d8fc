"""What is known of one ECG, in the form in which texts are held against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ecg_llm.errors import RecordError
from ecg_llm.findings.case import ABSENT_WAVES
from ecg_llm.findings.finding import Evidence, Finding
from ecg_llm.quantity import Quantity
from ecg_llm.vocabulary import canonical_code

if TYPE_CHECKING:
    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality

_SUMS = {
    "sokolow_mv": ((("V1", "qrs_min_mv"),), (("V5", "qrs_max_mv"), ("V6", "qrs_max_mv"))),
    "cornell_mv": ((("aVL", "qrs_max_mv"),), (("V3", "qrs_min_mv"),)),
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Measurements, findings and quality of one ECG.

    Attributes
    ----------
    values : mapping of str to Quantity
        Record-level values by name.
    leads : mapping of str to mapping of str to Quantity
        Values by lead.
    findings : mapping of str to Finding
        By code.
    refused : str or None
        Why the tracing may not be interpreted at all.
    unusable : mapping of str to str
        Leads that may not be read, with the reason.
    sex : str or None
        Decides the limits of QTc and of ST elevation.
    age_years : float or None
        Decides the limit of ST elevation.
    """

    values: Mapping[str, Quantity] = field(default_factory=dict)
    leads: Mapping[str, Mapping[str, Quantity]] = field(default_factory=dict)
    findings: Mapping[str, Finding] = field(default_factory=dict)
    refused: str | None = None
    unusable: Mapping[str, str] = field(default_factory=dict)
    sex: str | None = None
    age_years: float | None = None

    @classmethod
    def from_measurements(
        cls,
        measurements: Measurements | None,
        findings: Iterable[Finding] = (),
        quality: Quality | None = None,
        *,
        sex: str | None = None,
        age_years: float | None = None,
    ) -> Facts:
        """Collect the facts of a record.

        Parameters
        ----------
        measurements : Measurements or None
            Of the record; None where nothing was measured.
        findings : iterable of Finding
            Of the record.
        quality : Quality, optional
            Of the record.
        sex : {"female", "male"}, optional
            Of the patient.
        age_years : float, optional
            Of the patient.

        Returns
        -------
        Facts
        """
        measured = {} if measurements is None else measurements.leads
        judged = {} if quality is None else quality.leads
        unusable = {name: lead.reasons for name, lead in judged.items() if not lead.usable}
        return cls(
            values={} if measurements is None else measurements.values,
            leads={name: lead.summary for name, lead in measured.items()},
            findings={canonical_code(finding.code): finding for finding in findings},
            refused=_refusal(quality.verdict, quality.reasons) if quality else None,
            unusable={name: ", ".join(why) or "quality" for name, why in unusable.items()},
            sex=sex,
            age_years=age_years,
        )

    @classmethod
    def from_json(
        cls,
        measurements: Mapping[str, Any],
        findings: Iterable[Mapping[str, Any]] = (),
        quality: Mapping[str, Any] | None = None,
        *,
        sex: str | None = None,
        age_years: float | None = None,
    ) -> Facts:
        """Collect the facts from the JSON forms that datasets and reports hold.

        Parameters
        ----------
        measurements : mapping
            As from `Measurements.to_dict`.
        findings : iterable of mapping
            Fields of `Finding`; ``evidence`` may be left out.
        quality : mapping, optional
            As from `Quality.to_dict`.
        sex : {"female", "male"}, optional
            Of the patient.
        age_years : float, optional
            Of the patient.

        Returns
        -------
        Facts

        Raises
        ------
        RecordError
            If a finding lacks its code or status.

        Examples
        --------
        >>> facts = Facts.from_json({"qrs_ms": {"value": 142.0, "unit": "ms"}})
        >>> facts.value("qrs_ms").value
        142.0
        """
        found = [_finding(item) for item in findings]
        quality = quality or {}
        return cls(
            values=_quantities(measurements),
            leads={
                name: _quantities(lead.get("summary", {}))
                for name, lead in measurements.get("leads", {}).items()
            },
            findings={canonical_code(finding.code): finding for finding in found},
            refused=_refusal(quality.get("verdict", "accept"), quality.get("reasons", ())),
            unusable={
                name: ", ".join(lead.get("reasons", ())) or "quality"
                for name, lead in quality.get("leads", {}).items()
                if not lead.get("usable", True)
            },
            sex=sex,
            age_years=age_years,
        )

    def value(self, name: str, lead: str | None = None) -> Quantity:
        """Give a measured or derived value.

        Parameters
        ----------
        name : str
            Name of the value; also ``qrs_span_mv`` (peak to peak), ``sokolow_mv``, ``cornell_mv``.
        lead : str, optional
            Lead name.

        Returns
        -------
        Quantity
            Unknown, with the reason, where it was not measured. A Q, R or S wave that a readable
            QRS does not have counts as 0.
        """
        if name in _SUMS:
            return self._sum(name)
        if lead is None:
            return self.values.get(name) or Quantity(None, "", reason=f"{name} was not measured")
        if lead in self.unusable:
            return Quantity(None, "", reason=f"lead {lead} cannot be read ({self.unusable[lead]})")
        summary = self.leads.get(lead)
        if summary is None:
            return Quantity(None, "", reason=f"lead {lead} was not measured")
        if name == "qrs_span_mv":
            high, low = self.value("qrs_max_mv", lead), self.value("qrs_min_mv", lead)
            if high.value is None or low.value is None:
                return high if high.value is None else low
            return Quantity(high.value - low.value, "mV", method="tallest minus deepest")
        found = summary.get(name)
        if name in ABSENT_WAVES and (found is None or found.value is None):
            readable = summary.get("qrs_max_mv")
            if readable is not None and readable.value is not None:
                unit = "mV" if name.endswith("mv") else "ms"
                return Quantity(0.0, unit, method="no such wave in the median beat")
        return found or Quantity(None, "", reason=f"{name} was not measured in lead {lead}")

    def _sum(self, name: str) -> Quantity:
        """Add up the deflections of a voltage criterion."""
        total = 0.0
        for choice in _SUMS[name]:
            heights = [self.value(part, lead) for lead, part in choice]
            known = [abs(height.value) for height in heights if height.value is not None]
            if not known:
                return heights[0]
            total += max(known)
        return Quantity(total, "mV", method="sum of two deflections of the median beat")


def _refusal(verdict: str, reasons: Iterable[str]) -> str | None:
    """Say why a tracing may not be interpreted."""
    if verdict != "refuse":
        return None
    return "the tracing was refused: " + ("; ".join(reasons) or "its quality is too poor")


def _quantities(values: Mapping[str, Any]) -> dict[str, Quantity]:
    """Read the quantities among the entries of a JSON object."""
    known = {f.name for f in fields(Quantity)}
    out = {}
    for name, entry in values.items():
        if isinstance(entry, Mapping) and "value" in entry and "unit" in entry:
            kept = {key: value for key, value in entry.items() if key in known}
            if kept["value"] is None and not kept.get("reason"):
                kept["reason"] = "not given"
            out[name] = Quantity(**kept)
    return out


def _finding(entry: Mapping[str, Any]) -> Finding:
    """Read one finding from JSON."""
    if "code" not in entry or entry.get("status") not in ("present", "absent", "unknown"):
        raise RecordError(
            "A finding needs a code and a status of present, absent or unknown; "
            f"got the fields {', '.join(sorted(entry)) or 'none'}."
        )
    evidence = tuple(
        Evidence(**{f.name: item.get(f.name) for f in fields(Evidence)})
        for item in entry.get("evidence", ())
    )
    return Finding(
        code=entry["code"],
        label=entry.get("label", entry["code"]),
        snomed=entry.get("snomed"),
        section=entry.get("section", "rhythm"),
        urgency=entry.get("urgency", "abnormal"),
        status=entry["status"],
        probability=entry.get("probability"),
        reason=entry.get("reason"),
        evidence=evidence,
    )
