"""Boxes, masks and clicks in napari's canvas; no Qt."""
