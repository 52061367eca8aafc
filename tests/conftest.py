"""Options of the whole suite."""

import gc

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy is no failure: no property is judged by the clock. And what fails is to say something of the
# change that is tested: examples are the same each time. `--hypothesis-profile=wander` looks for others, and more.
settings.register_profile("driftscan", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("wander", settings.get_profile("driftscan"), derandomize=False, max_examples=1000)
settings.load_profile("driftscan")


def pytest_collection_finish() -> None:
    """Thousands of tests are many objects, none of which ever goes: to look for garbage among them took a seventh of
    the time of tests that only compute."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-expected` rewrites recorded expectations; what it changed is read in the diff before a commit."""
    parser.addoption("--update-expected", action="store_true", help="rewrite expected outcomes of recorded cases")


@pytest.fixture
def update_expected(request: pytest.FixtureRequest) -> bool:
    """Whether expected outcomes are to be rewritten."""
    return bool(request.config.getoption("--update-expected"))
