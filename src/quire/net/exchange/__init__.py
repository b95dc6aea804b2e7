"""Block exchange: ranges of trees, with proofs, from several peers at once.

pure      limits, estimate (one peer's speed), scheduler (who fetches what), fair_queue
          (whom to serve next), ledger (bytes both ways), budget (bytes in flight)
drivers   session (our requests at one peer), responder and outbox (their requests at us),
          transfer (one tree being fetched), job (a consumer's handle on it), swarm (its peers),
          pump (the way of a piece), candidates (whom to try), by_cid (a manifest or block),
          engine (wires all of it; begin reading there)
"""
