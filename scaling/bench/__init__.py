"""How fast the engines are: beside the plain PyTorch loop, and beside what the core could do.

plain      the baseline: the write-up's own loop, with PyTorch's defaults
floor      the FLOP of a training step, and the time in which this core can do them
rounds     timing that a noisy machine does not spoil
steps      a row for each engine, recipe and width
together   the population engine's
processes  what only other processes can tell: first calls, two workers against one
child      such a process
"""
