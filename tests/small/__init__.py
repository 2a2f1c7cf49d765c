"""nobg on small and unusual machines: little memory, one core, a slow disk, another processor. On request."""
