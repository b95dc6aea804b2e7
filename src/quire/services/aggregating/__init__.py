"""The aggregator's side: offers, jobs, coding, proving and submitting for others."""
