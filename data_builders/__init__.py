"""Builders of datasets: from public sources and a simulator to instruction data."""
