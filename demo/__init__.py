"""What `make demo` runs: the main jobs of Quire on real input, with real processes.

Read next: `diagram_a.py`.
"""
