"""Verbs: what takes time. None of them can write to a bus; they propose, request and ask."""
