"""Generators of many kinds, and functions that are given them."""
