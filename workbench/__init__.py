"""Reusable parts of the ESG workbench: stages, data sets, metrics, engine, tracking, reporting."""
