"""What runs that nobody has recorded would take: counted FLOPs and bytes, and arithmetic."""
