"""Run `scaling sweep` where nothing is installed, as in a job: python -m jobs.sweep STUDY ..."""

import os
import sys

from jobs.cli.main import entry

if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.argv.insert(1, "sweep")
    entry()
