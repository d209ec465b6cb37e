"""Figures that the project states, with the commands that measure them."""
