"""The store, the plan, the queue, the retries and the lock in a world that one seed determines.

As TigerBeetle and FoundationDB test: every fault is drawn from a seed, and a seed replays its whole
schedule. `python -m tests.simulation --help`.
"""
