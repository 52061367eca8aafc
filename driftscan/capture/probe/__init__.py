"""The probe: the one read-only program that runs on a target, and the two ends of its protocol."""
