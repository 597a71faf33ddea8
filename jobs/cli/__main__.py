"""Run the command `scaling` where it is not installed: python -m jobs.cli."""

from jobs.cli.main import entry

if __name__ == "__main__":
    entry()
