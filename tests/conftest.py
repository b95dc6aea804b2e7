"""Hypothesis without a clock: a busy machine must not fail a property."""

from hypothesis import HealthCheck, settings

settings.register_profile("quire", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quire")
