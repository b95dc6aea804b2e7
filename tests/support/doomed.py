"""A node that kills itself at one moment of a sale, as if the machine lost its power just then.

    python -m support.doomed MOMENT python -m quire.faces.cli.main node …

A moment is a state of a sale ("SaleFilling": it is in the journal, nothing was done in it yet) or
an outcome of its work ("Filled": it is done, on the chain too, and not in the journal yet).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from quire.base.events import Event, EventBus
from quire.faces.cli.main import main
from quire.market.sale import Sale, SaleEffect, SaleEvent
from quire.services.sale_work import SaleWork

BEFORE_ARGUMENTS = 3  # python -m quire.faces.cli.main


def under_doom(moment: str) -> list[str]:
    """What a node's command is put under."""
    return under_program("support.doomed", moment)


def under_program(module: str, mode: str) -> list[str]:
    """The command that runs another under a module, one of the tests or of the demo."""
    places = [str(Path(__file__).parents[2]), *(part for part in sys.path if part)]
    path = f"PYTHONPATH={os.pathsep.join(places)}"
    return ["env", path, sys.executable, "-m", module, mode]


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _doom(moment: str) -> None:
    publish, perform = EventBus.publish, SaleWork.perform

    def publish_or_die(
        self: EventBus, kind: str, subject: str, message: str, **facts: object
    ) -> Event:
        if kind == f"sale.{moment}":
            _end()
        return publish(self, kind, subject, message, **facts)

    async def perform_or_die(self: SaleWork, sale: Sale, effect: SaleEffect) -> SaleEvent | None:
        event = await perform(self, sale, effect)
        if type(event).__name__ == moment:
            _end()
        return event

    EventBus.publish = publish_or_die  # type: ignore[method-assign]
    SaleWork.perform = perform_or_die  # type: ignore[method-assign]


if __name__ == "__main__":
    _doom(sys.argv[1])
    sys.exit(main(sys.argv[2 + BEFORE_ARGUMENTS :]))
