"""The file managers' side of nobg. Standard library only: some file managers load it into their own Python."""
