"""Feetech serial bus servos: STS, SMS and HLS (little-endian), SCS (big-endian)."""
