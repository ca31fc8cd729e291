"""Measurements: which method is how good (compare.py), what a step costs (step_cost.py), and the pages made of them."""
