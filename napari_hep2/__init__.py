"""The napari plugin: open, review and classify specimens, train leaving one out."""

__version__ = "0.1.0"
