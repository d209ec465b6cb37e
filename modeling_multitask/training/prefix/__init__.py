"""The frozen-prefix cache: the output of frozen layers, computed once for each text and kept on disk."""
