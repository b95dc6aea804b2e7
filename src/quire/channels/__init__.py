"""Payment channels, pure: vouchers, what is owed and paid, when to top up and when to claim."""
