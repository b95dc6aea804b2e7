"""The compiled contract and the model of its rules do the same, whatever is called in which order.

By hand, for as long as one likes:  python tests/contracts/long_walk.py 0 125 400
"""

import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support.contract_twin import Twin
from support.contract_walk import Walk, a_setup

CHOICES = st.randoms(use_true_random=False)
SEEDS = 8
STEPS = 400


class Marketplace(RuleBasedStateMachine):
    """Every call of the contract is a rule; what it is called with is likely to mean something."""

    walk: Walk

    @initialize(choices=CHOICES)
    def deploy(self, choices: random.Random) -> None:
        setup, inputs = a_setup(choices)
        self.walk = Walk(Twin(setup, inputs), choices)

    def has_requests(self) -> bool:
        return hasattr(self, "walk") and bool(self.walk.twin.requests)

    @rule(choices=CHOICES, deed=st.sampled_from(("request", "register", "unregister", "delegate")))
    def anybody(self, choices: random.Random, deed: str) -> None:
        self._do(choices, deed)

    @precondition(has_requests)
    @rule(
        choices=CHOICES,
        deed=st.sampled_from(
            (
                "reserve",
                "fill",
                "reserve_and_fill",
                "fill_all",
                "change_hands",
                "squat",
                "submit",
                "submit_many",
                "free",
            )
        ),
    )
    def host(self, choices: random.Random, deed: str) -> None:
        self._do(choices, deed)

    @precondition(has_requests)
    @rule(
        choices=CHOICES,
        deed=st.sampled_from(("mark", "mark_many", "open_repair", "burn", "withdraw")),
    )
    def others(self, choices: random.Random, deed: str) -> None:
        self._do(choices, deed)

    @precondition(has_requests)
    @rule(choices=CHOICES)
    def wait(self, choices: random.Random) -> None:
        self._do(choices, "wait")

    @invariant()
    def agree(self) -> None:
        if self.has_requests():
            self.walk.look()

    def teardown(self) -> None:
        if hasattr(self, "walk"):
            self.walk.twin.compare_all()

    def _do(self, choices: random.Random, deed: str) -> None:
        self.walk.random = choices
        getattr(self.walk, deed)()


Marketplace.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
test_contract_and_model_agree = Marketplace.TestCase


@pytest.mark.parametrize("seed", range(SEEDS))
def test_long_random_walks_agree(seed: int) -> None:
    choices = random.Random(seed)
    setup, inputs = a_setup(choices)
    walk = Walk(Twin(setup, inputs), choices)
    walk.steps(STEPS)
    assert walk.counts["requestStorage"] > 0
    assert walk.counts["reserveSlot"] > 0
