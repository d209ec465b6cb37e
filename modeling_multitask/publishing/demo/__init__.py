"""The demo. These files are copied into the Space, so they only import each other from this package."""
