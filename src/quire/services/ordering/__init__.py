"""The customer's side: finding aggregators, ordering from them, checking what they deliver."""
