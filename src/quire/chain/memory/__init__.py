"""The marketplace without a chain: the contract's rules, a small world of blocks, the port."""
