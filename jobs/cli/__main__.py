"""python -m jobs.cli: the command `scaling` where it is not installed."""

from jobs.cli.main import entry

if __name__ == "__main__":
    entry()
