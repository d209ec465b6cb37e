"""Export a trained model as a folder that runs without torch."""
