"""The protocol and its runtime: how fast, how soon, in how much memory, each beside a simpler way."""
