"""The report: every table of a scale on one self-contained page, and its index in Markdown."""
