"""Tasks: what a network is trained to do, its loss and its metrics."""

from snnctl.tasks.base import Meter as Meter
from snnctl.tasks.base import Task as Task
