"""The frozen-prefix cache: the output of frozen layers, computed once per text and cached on disk."""
