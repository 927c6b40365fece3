"""Pure functions on masks and scores; every metric with its source and worked example."""
