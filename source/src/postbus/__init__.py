"""Postbus: payments posted over an event bus."""
