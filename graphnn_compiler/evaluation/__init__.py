"""What a network is worth on data: losses, metrics, confusion matrices, tables of predictions.

Input: a plan, arrays, and a function that computes a batch. Output: numbers, reports, tables. Not for: compiling,
reading data, printing.
"""
