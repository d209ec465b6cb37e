"""Cards for models and adapters on the Hub."""
