"""The whole job: from targets to verdicts. `host.py` is the way of the data for one host."""
