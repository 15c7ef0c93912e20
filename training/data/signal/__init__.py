"""Signal of a specimen: how far its cells stand out, in units of the noise.

``contrast`` measures the cells of a frame, ``stretching`` recognises images without
intensity, ``specimen`` takes the median over all frames with its interval.
"""

from training.data.signal.contrast import FrameSignal, frame_signal
from training.data.signal.specimen import Estimate, SpecimenSignal, pool_signals

__all__ = [
    "Estimate",
    "FrameSignal",
    "SpecimenSignal",
    "frame_signal",
    "pool_signals",
]
