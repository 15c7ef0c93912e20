"""Files in, files out: the one gate to the disk.

`images` decodes pictures, `writing` writes whole files or none, `csv_tables` and
`delimited` write and read tables, `paths` keeps every path inside its folder.
"""
