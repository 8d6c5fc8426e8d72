"""One builder per kind of stage, and what happens when a stage is not accepted."""
