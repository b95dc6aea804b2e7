"""Thin typed faces over the compiled core and over libraries of cryptography.

Read next: `hashing.py` (batch SHA-256 and Merkle trees), `signing.py` (secp256k1).
"""
