"""The demo. Each file is also one of the Space, so it imports nothing of this package but its neighbours."""
