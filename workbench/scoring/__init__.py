"""From predictions and what the stages recorded about them to the numbers of one table row."""
