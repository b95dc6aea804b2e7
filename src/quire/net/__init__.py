"""The network: the transport port and its adapters, discovery, and the block exchange.

Read `transport.py` (the port), then `exchange/engine.py`.
"""
