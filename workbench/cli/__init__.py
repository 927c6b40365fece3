"""The ``esg`` command: a thin shell over the functions that the stages use."""
