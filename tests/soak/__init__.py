"""The long forms of some tests, to run on request."""
