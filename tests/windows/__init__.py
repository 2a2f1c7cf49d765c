"""Windows under wine: see README.md beside this file."""
