"""Hypothesis without a clock: a busy machine must not fail a property. Libraries of the chain leave
the limit of recursion as it is, whoever loads them: other tests nest too deeply on purpose."""

from hypothesis import HealthCheck, settings

from quire.chain.same_recursion import same_recursion_limit

with same_recursion_limit():
    import web3  # noqa: F401

settings.register_profile("quire", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quire")
