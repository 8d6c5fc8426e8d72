"""The behaviour tree: conditions, actions, stages, missions, rendering and lint."""
