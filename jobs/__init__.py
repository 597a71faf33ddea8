"""Studies, and the commands that run them, in this process or on Ray."""
