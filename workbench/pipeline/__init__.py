"""The pipeline before a run: its stages, what of them is stale and why, what running them takes."""
