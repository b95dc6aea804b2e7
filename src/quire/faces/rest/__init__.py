"""The HTTP API. One table of routes (`table.py`) gives the router and the OpenAPI document.

    data, upload, download, identity, debug, market   at every base of the network profile, as the
                                                      reference has it (content.md 6)
    the same, and status, datasets, events, insight   at /api/quire/v1, with errors as JSON

Read next: `route.py`, then `table.py`.
"""
