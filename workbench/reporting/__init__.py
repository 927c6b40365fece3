"""Tables of the paper with three numbers a cell, and verdicts on its claims."""
