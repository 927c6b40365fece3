"""Runs in MLflow: one for each stage, instance and seed."""
