"""Hyper-parameter search: Optuna studies declared in ``configs/sweeps``, run by any workers."""
