"""The processes of a run on a robot: control, mission, recorder, and who starts and ends them."""
