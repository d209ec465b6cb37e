"""Known breakages of this stack, put back one at a time to see that their tests notice."""
