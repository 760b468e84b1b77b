"""The pydantic model of a component's knobs: strict and closed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo

from snnctl.core.docs import read_doc
from snnctl.core.signature import knobs


def params_model(component: Callable[..., Any]) -> type[BaseModel]:
    """A strict, closed pydantic model of the component's knobs; nested components are left open (`Any`)."""
    return _model(component, tuple(knob.annotation for knob in knobs(component)))  # names may come with plug-ins


@cache
def _model(component: Callable[..., Any], annotations: tuple[Any, ...]) -> type[BaseModel]:
    parts: dict[str, Any] = {}
    for knob, written in zip(knobs(component), annotations, strict=True):
        annotation = Any if knob.slot else written
        info = FieldInfo(default=... if knob.required else knob.default, description=knob.doc or None)
        parts[knob.name] = (annotation, info)
    config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())
    name = getattr(component, "__name__", "Component")
    return create_model(name, __config__=config, __doc__=read_doc(component).summary, **parts)
