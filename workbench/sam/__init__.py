"""Entities by SAM's automatic masks, from a folder of its weights (Table VIII's row SAM-H)."""
