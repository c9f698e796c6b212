"""Mosquitto as ffmesh wants it: its configuration, its logins, and a private one of our own."""
