"""A report for each specimen of a folder, and the worklist that ranks them by doubt.

`findings` pools the frames of a specimen into one verdict, `reviews` reads who decided
on its cells, `content` says it as JSON and CSV, `page` draws it, `freshness` tells
whether that was done before, and `stream` goes through a whole folder.
"""
