"""`scaling check`: the engines' correctness and speed on this machine. See docs/check.md.

It needs only numpy, torch and numba, and a bare checkout: python -m scaling.check

command    the arguments, the result as JSON and as an exit status
plan       which tasks a device has, in order, and their time
runner     tasks as separate processes, so that a crash or a hang costs one task
child      such a process: one task, case by case
cases      a case and its outcome; the noise that the cases train on
verdict    fit, not fit or undecided, and the last lines
machine    processor, device, versions, precision
agreement  each engine's weights beside the reference's
kernels    the compiled engine's kernels, alone and in pairs
speed      microseconds an example and model
"""
