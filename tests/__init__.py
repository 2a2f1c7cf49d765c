"""The tests of nobg; tests/run runs them all."""
