"""What holds against other users of the machine: which links are followed, and who may read an output."""
