"""Every registry, and the explicit table of what ships with snnctl (name -> module)."""

from __future__ import annotations

from snnctl.core.registry import Registry


def _registry(kind: str, room: str, modules: dict[str, str], *, in_lists: bool = False) -> Registry:
    """A registry from the names that each module of a room registers."""
    homes = {name: f"{room}.{module}" for module, names in modules.items() for name in names.split()}
    return Registry(kind, homes, in_lists=in_lists)


TASKS = _registry(
    "task",
    "snnctl.tasks",
    {
        "forecasting": "forecasting",
        "classification": "classification",
        "steps": "step_classification",
        "video": "video_prediction",
    },
)
DATA = _registry(
    "data",
    "snnctl.data",
    {
        "series.component": "timeseries",
        "made.order": "order",
        "texts.component": "text",
        "images.component": "image",
        "events.frames": "event_frames",
        "images.sequential": "sequential_image",
        "events.component": "event_spikes",
        "made.mts_xor": "mts_xor",
        "video.moving.component": "moving_digits",
        "video.component": "video",
    },
)
SCALERS = _registry("scaler", "snnctl.data.series", {"scaling": "none standard global_standard max column_max minmax"})
TOKENIZERS = _registry("tokenizer", "snnctl.data.texts", {"tokenizers": "word character byte_pair pretrained"})
ENCODERS = _registry(
    "encoder",
    "snnctl.encoders",
    {
        "direct": "repeat delta",
        "conv": "conv",
        "coding": "rate latency phase",
        "patch": "patch",
        "patch_split": "patch_split",
        "embedding": "embedding",
        "none": "none",
    },
)
POSITIONS = _registry(
    "position",
    "snnctl.positions",
    {
        "none": "none",
        "cpg": "cpg cpg_linear cpg_learned",
        "absolute": "sinusoid learned",
        "conv": "conv",
        "random": "random",
        "attention_bias": "gray log",
    },
)
_EACH_ITS_OWN = (
    "spikformer ispikformer spike_mlp spike_rnn spike_gru spike_tcn spike_driven qkformer"
    " qkformer_stages temporal_conv delay_mlp spike_resnet spike_vgg video_stack sim_vp"
)
BACKBONES = _registry("backbone", "snnctl.backbones", {name: name for name in _EACH_ITS_OWN.split()})
NEURONS = _registry(
    "neuron",
    "snnctl.neurons",
    {
        "lif": "if lif plif",
        "tau_lif": "tau_lif",
        "alif": "alif",
        "glif": "glif",
        "klif": "klif",
        "clif": "clif",
        "shift_lif": "shift_lif",
        "cuba_lif": "cuba_lif",
        "tc_lif": "tc_lif",
        "lm_h": "lm_h",
        "psn": "psn masked_psn",
        "resonate_fire": "resonate_fire",
        "stc": "stc",
        "stc_forms": "stc_lif stc_plif stc_lmh",
    },
)
SURROGATES = _registry(
    "surrogate",
    "snnctl.neurons",
    {"surrogate": "atan sigmoid fast_sigmoid rectangle triangle straight_through"},
)
READOUTS = _registry(
    "readout",
    "snnctl.readouts",
    {
        "linear": "mean_linear flatten_linear last_linear variate_linear",
        "steps": "step_linear frames",
        "leaky": "leaky leaky_step spike_count",
    },
)
BASELINES = _registry(
    "baseline",
    "snnctl.baselines",
    {
        "forecasts": "last_value seasonal_naive",
        "ridge": "ridge",
        "dlinear": "dlinear",
        "classes": "majority linear linear_pooled linear_step ceiling",
        "cnn": "cnn",
        "tfidf": "tfidf",
        "continuations": "copy_last black train_mean",
    },
    in_lists=True,
)
OPTIMS = _registry("optim", "snnctl.engine", {"optim": "adam adamw sgd rmsprop"})
SCHEDULES = _registry("schedule", "snnctl.engine", {"schedule": "constant cosine step one_cycle plateau"})

REGISTRIES: dict[str, Registry] = {
    registry.kind: registry
    for registry in (
        TASKS,
        DATA,
        SCALERS,
        TOKENIZERS,
        ENCODERS,
        POSITIONS,
        BACKBONES,
        NEURONS,
        SURROGATES,
        READOUTS,
        OPTIMS,
        SCHEDULES,
        BASELINES,
    )
}
