"""What is said, one module for each family.

Presence, capability, jobs as people see them, orders, reports, requests, answers.
"""
