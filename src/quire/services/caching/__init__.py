"""Serving what is cached at a price, and what that earns."""
