"""CubeMars (T-Motor) AK motors on classic CAN, in MIT mode; the codec also knows servo mode and V3 commands."""
