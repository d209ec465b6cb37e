"""The commands of `multitask`, for a checkout that is not installed."""
