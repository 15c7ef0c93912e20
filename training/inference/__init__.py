"""A fitted model at work: its file and card, its scores on crops and frames.

`model_file` and `onnx_model` read models, `scorers` hides which of them scores,
`frames` and `stream` classify images, `why` explains the pattern of a cell.
"""
