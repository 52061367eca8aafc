"""`python -m driftscan` is the `driftscan` command."""

from driftscan.cli.main import entry_point

if __name__ == "__main__":
    entry_point()
