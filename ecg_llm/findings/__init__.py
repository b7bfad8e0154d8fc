"""Findings: criteria from citable sources applied to the measurements."""

from ecg_llm.findings.criteria import alerts, apply_criteria

__all__ = ["alerts", "apply_criteria"]
