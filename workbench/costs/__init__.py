"""What models cost: parameters and FLOPs counted without weights, seconds measured."""
