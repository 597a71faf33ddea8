"""The checks of `scaling verify`: results against themselves and against another training.

    ledger   what was checked, and what does not hold
    folder   a results folder, read file by file
    plans    plans against identities
    rows     a model's rows, among themselves and against its plan
    bits     predictions: counts against bits, bits against labels
    stored   all these checks on a folder, without training
    again    models trained again, and whether they are equal to the bit
    small    an engine against the reference, weight by weight

Nothing here writes to the folder.
"""
