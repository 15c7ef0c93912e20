"""One execution of an experiment, in a folder of its own, resumable.

`experiments` has the recipes, `execution` their order, `folder` the files, `events`
what is reported on the way, `engines` where folds train, `results` what is pooled.
"""
