"""Networks: architectures, the training loop of a fold, checkpoints, devices.

`architectures` names them all, `loop` trains one fold, `parallel_folds` several on one
device, `classifier` makes a network a classifier like any other.
"""
