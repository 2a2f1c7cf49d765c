"""What a person does to a cut-out by hand, and what becomes of the alpha."""
