"""Pages for people: the report of a run, of a specimen, and picture sheets.

`run_report` writes the report of a run, `specimens` the reports and the worklist of a
folder, `sheets` pictures of cells; each page is one file that needs no network.
"""
