"""Nets of the assistant: signal, image and text encoders, projectors."""
