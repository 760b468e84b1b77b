"""The pydantic model of a component's knobs: strict and closed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo

from snnctl.core.docs import read_doc
from snnctl.core.signature import knobs


@cache
def params_model(component: Callable[..., Any]) -> type[BaseModel]:
    """A strict, closed pydantic model of the component's knobs; nested components are left open (`Any`)."""
    parts: dict[str, Any] = {}
    for knob in knobs(component):
        annotation = Any if knob.slot else knob.annotation
        info = FieldInfo(default=... if knob.required else knob.default, description=knob.doc or None)
        parts[knob.name] = (annotation, info)
    config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())
    name = getattr(component, "__name__", "Component")
    return create_model(name, __config__=config, __doc__=read_doc(component).summary, **parts)
