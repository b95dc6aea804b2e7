"""The marketplace contract without a chain: its rules, a small world of blocks, and the port on it."""
