"""From the log to the lake: identity, checks, latest values, thresholds; every reading exactly once whatever is killed when."""

from zhongshu.sense.pipeline.pipeline import Pipeline, PipelineSettings
from zhongshu.sense.pipeline.quarantine import Quarantine
from zhongshu.sense.pipeline.run import run
from zhongshu.sense.pipeline.threshold import ALARMS

__all__ = ["ALARMS", "Pipeline", "PipelineSettings", "Quarantine", "run"]
