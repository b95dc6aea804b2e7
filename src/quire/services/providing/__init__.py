"""The provider's side of sealed replicas: offers, storing, receipts, serving, expiry."""
