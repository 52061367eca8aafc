"""Golden files: what a report must be to the letter. `--update-expected` rewrites them; the diff is then read."""

from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def compare(name: str, text: str, update: bool) -> None:
    """Fail unless the text is the golden file's."""
    path = FOLDER / name
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text
