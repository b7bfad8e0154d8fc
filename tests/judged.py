"""Findings and probabilities to test with."""

from __future__ import annotations

from typing import Any

from ecg_llm.findings.codes import ENCODER_STATEMENTS, STATEMENTS
from ecg_llm.findings.finding import Finding
from ecg_llm.probabilities import CodeModel, ProbabilityModel

PLAIN = CodeModel(
    slope=1.0,
    constant=0.0,
    present=1.5,
    unknown=0.0,
    alone_slope=1.0,
    alone_constant=0.0,
    threshold=0.4,
)
CODES = (*STATEMENTS, *ENCODER_STATEMENTS)
MODEL = ProbabilityModel(codes=dict.fromkeys(CODES, PLAIN), card={})
"""Every code alike."""


def made(code: str, status: Any = "present", **more: Any) -> Finding:
    """Make a finding with its published name."""
    row = STATEMENTS[code]
    published = {
        "label": row.label,
        "snomed": row.snomed,
        "section": row.section,
        "urgency": row.urgency,
    }
    return Finding(code=code, status=status, **(published | more))
