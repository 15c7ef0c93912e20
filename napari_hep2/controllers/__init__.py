"""Verbs on the state: open, extract, decide, undo, classify, export. No Qt here.

What takes long is not done but returned as a `Job`, which a window gives to a thread
and a test drains.
"""
