"""The long forms of some tests, run by hand."""
