"""Architectures and remarks of Tables XI and XII, for the stage `count`."""

from projects.gella.costs import decoders, encoders, language, remarks

__all__ = ["decoders", "encoders", "language", "remarks"]
