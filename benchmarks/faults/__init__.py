"""Faults: what is left when processes are killed, clients are many, and runs are long."""
