"""Training of a multi-task model on partially labelled rows."""
