"""Samples for a network that is built: inputs and targets from files, each known to fit.

Input: a plan and the names of files. Output: arrays by the names of inputs and targets. Not for: default data, which a
program reads itself; computing.
"""
