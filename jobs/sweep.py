"""Run `scaling sweep` where nothing is installed, as in a job: python -m jobs.sweep STUDY ..."""

import os
import sys

from jobs.cli.main import main

if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main(["sweep", *sys.argv[1:]]))
