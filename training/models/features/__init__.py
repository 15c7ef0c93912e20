"""Systems of computed features: what is computed once, what each fold fits.

`base` says what such a system is, `classifier` makes it a classifier, `store` keeps its
features on disk; one package a system.
"""
