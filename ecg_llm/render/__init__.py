"""Pictures and documents: the ECG on paper, and the report as text, HTML and PDF."""
