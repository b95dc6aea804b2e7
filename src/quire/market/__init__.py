"""The market's logic, pure: purchase and sale as machines, queue, availability, policies."""
