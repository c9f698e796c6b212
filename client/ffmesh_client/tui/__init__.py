"""`ffmesh top`: `model` folds messages into values, `widgets` draw them, and `pages` lay them out."""
