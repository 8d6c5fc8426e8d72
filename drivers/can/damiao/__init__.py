"""Damiao DM-J, DM-H and DM-G motors on classic CAN, in MIT mode."""
