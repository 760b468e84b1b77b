"""Streaming measurement: metrics of forecasts and classifiers, spike statistics, health verdicts, baselines."""

from snnctl.measure.baselines import BaselineName as BaselineName
from snnctl.measure.baselines import BaselineReport as BaselineReport
from snnctl.measure.baselines import run_baselines as run_baselines
from snnctl.measure.classes import ClassificationMetrics as ClassificationMetrics
from snnctl.measure.classes import ClassMetricName as ClassMetricName
from snnctl.measure.classifiers import ClassifierName as ClassifierName
from snnctl.measure.classifiers import run_classifiers as run_classifiers
from snnctl.measure.gradients import GradientMeter as GradientMeter
from snnctl.measure.gradients import LayerGradients as LayerGradients
from snnctl.measure.health import verdicts as verdicts
from snnctl.measure.metrics import ForecastMetrics as ForecastMetrics
from snnctl.measure.metrics import MetricName as MetricName
from snnctl.measure.spikes import LayerSpikes as LayerSpikes
from snnctl.measure.spikes import NetworkSpikes as NetworkSpikes
from snnctl.measure.spikes import SpikeMeter as SpikeMeter
