"""Shape-index histograms, pooled over donuts and classified by an RBF SVM.

Larsen, Vestergaard and Larsen, IEEE TMI 33(7), 1573-1580, 2014, doi
10.1109/TMI.2014.2318434.
"""

from training.models.features.shape_index.system import ShapeIndexSystem

__all__ = ["ShapeIndexSystem"]
