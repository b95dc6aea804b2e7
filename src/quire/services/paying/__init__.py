"""Paying and being paid over channels: vouchers between peers, top-ups, claims, the watcher."""
