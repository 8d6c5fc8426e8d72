"""Wires everything: the control loop, the mission loop, the link between them, the operator."""
