"""Evaluation: metrics with intervals, errors, calibration, label issues and the report."""
