"""What a run leaves behind: its folder, its events, its record of every control cycle, its summary and report.

run_folder  the folder, the copies of what went in, and the refusal when it cannot be written
events      what happened, one line each, chained by hashes
record      every control cycle in a fixed layout (no heavy imports: the control loop uses it)
timing      how long cycles took, in constant memory
summary     summary.json: what a program reads
report      the report: what a person reads
"""
