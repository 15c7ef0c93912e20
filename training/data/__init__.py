"""Images in, cells out: layouts, segmentation, extraction, the cell set, curation."""
