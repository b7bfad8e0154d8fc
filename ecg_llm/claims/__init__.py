"""What a text claims about an ECG: read, and held against what was measured and found."""
