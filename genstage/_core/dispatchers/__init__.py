"""Dispatchers: who gets which events, and how much is asked of the producer."""
