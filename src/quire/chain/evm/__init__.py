"""The market on a real chain: the port `Market` over JSON-RPC."""
