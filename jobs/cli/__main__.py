"""Run the command `scaling` where it is not installed: python -m jobs.cli."""

from jobs import leave_out_the_working_folder

if __name__ == "__main__":
    leave_out_the_working_folder()
    from jobs.cli.main import entry

    entry()
