"""Reports: one file per format, each a pure function from a scan's result to text."""
