"""The checks of `scaling verify`: results against themselves and against another training.

    ledger   counts of checks, and findings
    folder   a results folder, read file by file
    plans    plans against identities
    rows     a model's rows, among themselves and against its plan
    bits     predictions: counts against bits, bits against labels
    stored   all these checks on a folder, without training
    machine  whether this machine must reproduce a model's bits
    again    models trained again, and whether they are equal bit for bit
    small    an engine against the reference, weight by weight

No check writes to the folder.
"""
