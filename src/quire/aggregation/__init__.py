"""The aggregator: heavy work for weak nodes, verified instead of trusted. Pure logic.

    values.py            offers, receipts, what is ordered
    offer.py receipt.py  their bytes and signatures
    job*.py              a job at the aggregator: its machine
    order*.py            the same at the customer

Source   market.md 6
"""
