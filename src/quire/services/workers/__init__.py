"""Adapters of the port Workers (flow/workers.py): threads of this process, or a Ray cluster."""
