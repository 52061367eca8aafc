"""Bytes to a host and back, one file per way. Knows no facts."""
