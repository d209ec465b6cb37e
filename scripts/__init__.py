"""The commands of `multitask` as modules, for a checkout that is not installed."""
