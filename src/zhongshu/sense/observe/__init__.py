"""Observations: what their codes mean, which stream they belong to, what was measured last, and the questions people ask of them."""

from zhongshu.sense.observe.dimension import StreamDimension, Thresholds, publish_dimension, publish_streams
from zhongshu.sense.observe.directory import Directory, build_directory
from zhongshu.sense.observe.latest import Band, Latest, LatestReader, LatestWriter, compute_band
from zhongshu.sense.observe.quality import Quality

__all__ = [
    "Band",
    "Directory",
    "Latest",
    "LatestReader",
    "LatestWriter",
    "Quality",
    "StreamDimension",
    "Thresholds",
    "build_directory",
    "compute_band",
    "publish_dimension",
    "publish_streams",
]
