"""What is left of a run: the record of every cycle, the event chain, the summary, the report."""
