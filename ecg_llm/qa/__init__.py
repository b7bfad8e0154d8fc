"""Question sets in the form of ECG-QA: read, answered from the findings, scored as they are."""
