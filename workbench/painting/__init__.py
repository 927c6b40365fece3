"""Pictures of predictions: panoptic maps and grey maps of a split, by one checkpoint."""
