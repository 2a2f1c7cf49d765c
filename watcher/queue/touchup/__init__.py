"""What jobs.db keeps of a person's work on cut-outs."""
