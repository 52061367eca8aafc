"""One file per cause. Each has a value `fold`."""
