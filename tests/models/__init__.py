"""Models: state machines over the simulated network, with invariants that are checked after each step."""
