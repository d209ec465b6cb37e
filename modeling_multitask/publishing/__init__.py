"""Cards, demos, and the push of a trained model to the Hub."""
