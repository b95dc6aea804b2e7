"""The chain: the market as a port, its adapter to a real chain, and one in memory."""
