"""*Specimen*: open a folder or layers, cut cells, edit the mask."""
