"""Options of the whole suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-expected` rewrites recorded expectations; what it changed is read in the diff before a commit."""
    parser.addoption("--update-expected", action="store_true", help="rewrite expected outcomes of recorded cases")


@pytest.fixture
def update_expected(request: pytest.FixtureRequest) -> bool:
    """Whether expected outcomes are to be rewritten."""
    return bool(request.config.getoption("--update-expected"))
