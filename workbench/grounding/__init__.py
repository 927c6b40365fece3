"""Nouns to masks: running a grounding model on pictures, and what it writes."""
