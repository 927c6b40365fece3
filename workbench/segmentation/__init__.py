"""Entity masks of photographs: run a segmenter, write masks, label maps and overlays."""
