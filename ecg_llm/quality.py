"""Judge the technical quality of a tracing before anything is read from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["accept", "limit", "refuse"]


@dataclass(frozen=True, kw_only=True)
class LeadQuality:
    """Whether one lead can be read, and if not, why not.

    Attributes
    ----------
    usable : bool
        Whether measurements may be taken from this lead.
    reasons : tuple of str
        What was found, worst first: ``flat``, ``saturated``, ``wander``, ``muscle noise``,
        ``mains``, ``disconnected``, ``gaps``. A usable lead may have (mild) ones too.
    metrics : dict of str to float
        The measured values behind the reasons, units in the names.
    """

    usable: bool
    reasons: tuple[str, ...]
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """A suspected electrode or row error.

    Attributes
    ----------
    kind : str
        Machine name, such as ``RA-LA reversal`` or ``V1-V2 swapped``.
    leads : tuple of str
        The rows concerned.
    explanation : str
        What was measured and why it speaks for the error, in one sentence.
    score : float
        From 0 (no hint) to 1 (sure).
    """

    kind: str
    leads: tuple[str, ...]
    explanation: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Technical quality of one record.

    Attributes
    ----------
    record : str
        Name of the record.
    verdict : {"accept", "limit", "refuse"}
        ``limit``: read, but some leads are left out.
    reasons : tuple of str
        Why it is limited or refused, in plain words.
    score : float
        Probability that experts would call the record acceptable.
    leads : dict of str to LeadQuality
        By lead name, in the record's order.
    suspicions : tuple of Suspicion
        Electrode reversals and misplaced rows.
    pacing_spikes_s : tuple of float, s
        Times of pacing spikes.
    from_s, to_s : float, s
        The stretch that was judged.
    """

    record: str
    verdict: Verdict
    reasons: tuple[str, ...]
    score: float
    leads: dict[str, LeadQuality]
    suspicions: tuple[Suspicion, ...]
    pacing_spikes_s: tuple[float, ...]
    from_s: float
    to_s: float

    @property
    def acceptable(self) -> bool:
        """Whether the record may be interpreted at all."""
        return self.verdict != "refuse"

    @property
    def usable_leads(self) -> tuple[str, ...]:
        """Names of the leads that may be measured."""
        return tuple(name for name, lead in self.leads.items() if lead.usable)

    def to_dict(self) -> dict[str, Any]:
        """Give the fields as plain JSON values, with ``acceptable`` beside them.

        Returns
        -------
        dict
        """
        return {"record": self.record, "acceptable": self.acceptable, **asdict(self)}
