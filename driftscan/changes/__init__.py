"""Files of declared changes (docs/formats/declared.md): strict YAML, and the content of directories that it names."""

from driftscan.changes.load import load

__all__ = ["load"]
