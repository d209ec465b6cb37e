"""How far a model's answers can be trusted."""
