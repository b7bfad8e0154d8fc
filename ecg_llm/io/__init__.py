"""Readers: from a file of any dialect to an `ECGRecord`."""
