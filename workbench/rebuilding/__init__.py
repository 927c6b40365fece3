"""Masks rebuilt from the colormaps of a split's entities, by one checkpoint."""
