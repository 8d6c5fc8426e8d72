"""Data only: robots, policies, missions and safety files."""
