"""Evaluation: tasks, metrics and benchmark commands."""
