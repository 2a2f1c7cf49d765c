"""Attacks: what a picture or another program could do to nobg, and that it does not."""
