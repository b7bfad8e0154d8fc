"""Findings: criteria from citable sources applied to the measurements."""
