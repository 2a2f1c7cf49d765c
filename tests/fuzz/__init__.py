"""Coverage-guided fuzzing of every parser of nobg: one harness for each, a small corpus, and what was found."""
