"""What the readers are willing to take in, so that no file can exhaust the machine."""

MAX_FILE_BYTES = 256 * 2**20
"""One file, on disk or unpacked."""
MAX_RECORD_BYTES = 256 * 2**20
"""All files of one record together."""
MAX_TEXT_BYTES = 48 * 2**20
"""Text and XML, whose parsed form is many times larger than the file."""
MAX_HEADER_BYTES = 2**20
"""A WFDB header or a JSON sidecar."""
MAX_CHANNELS = 128
"""Signals of one record; body-surface maps have up to about a hundred."""
MAX_SAMPLES = 64 * 10**6
"""Samples of one record over all its channels: 24 hours of three leads at 250 Hz."""
MAX_SEGMENTS = 100_000
"""Segments of one WFDB record."""
MAX_MEMBERS = 250_000
"""Files of one archive; all of PTB-XL is 87,000."""
MAX_SOURCE_FS = 100_000.0
"""Sampling rate above which a file states nonsense."""
HEAD_BYTES = 64 * 2**10
"""What is looked at to tell one format from another."""
