"""Tests that only Windows' own Python runs."""
