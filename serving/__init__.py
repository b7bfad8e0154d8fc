"""Serving: engine, API, FHIR."""
