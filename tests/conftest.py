"""Hypothesis without a clock: a busy machine must not fail a property. Libraries of the chain leave
the limit of recursion as it is, whoever loads them: other tests nest too deeply on purpose. What
tests and their processes put into the temporary directory goes when the run is over."""

import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from quire.chain.same_recursion import same_recursion_limit

with same_recursion_limit():
    import web3  # noqa: F401

settings.register_profile("quire", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quire")


@pytest.fixture(scope="session", autouse=True)
def _temporary_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    place = str(tmp_path_factory.mktemp("temporary"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", place)
        patch.setattr(tempfile, "tempdir", place)
        yield
