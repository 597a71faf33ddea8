"""Run `scaling sweep` where nothing is installed, as in a job: python -m jobs.sweep STUDY ..."""

import os
import sys

from jobs import leave_out_the_working_folder

if __name__ == "__main__":
    leave_out_the_working_folder()
    from jobs.cli.main import entry

    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.argv.insert(1, "sweep")
    entry()
