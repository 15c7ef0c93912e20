"""Thin views on the state of a viewer's session."""
