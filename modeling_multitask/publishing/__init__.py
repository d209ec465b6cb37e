"""Cards and demos for trained models, and their upload to the Hub."""
