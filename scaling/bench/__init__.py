"""The engines' speed, compared with a plain PyTorch loop and with the speed of the core.

plain      the baseline: the published loop, with PyTorch's defaults
floor      the FLOP of a training step, and the time this core needs for them
rounds     timing that is robust on a noisy machine
steps      a row for each engine, recipe and width
together   the population engine's measurements
processes  measurements in other processes: first calls, two workers against one
child      such a process
"""
