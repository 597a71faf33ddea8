"""What is run: the studies, and how they get onto Ray."""
