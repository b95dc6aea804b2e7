"""Payment channels at work: vouchers are promised, sent, taken and claimed."""
