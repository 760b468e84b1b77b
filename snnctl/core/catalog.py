"""Every registry, and the explicit table of what ships with snnctl (name -> module)."""

from __future__ import annotations

from snnctl.core.registry import Registry


def _registered_in(module: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, module)


def _modules_of(room: str, *names: str) -> dict[str, str]:
    """Components that are each alone in a module of their name."""
    return {name: f"{room}.{name}" for name in names}


_OPTIM = "snnctl.engine.optim"
_SCHEDULE = "snnctl.engine.schedule"
_SCALING = "snnctl.data.series.scaling"

TASKS = Registry(
    "task",
    {
        "forecasting": "snnctl.tasks.forecasting",
        "classification": "snnctl.tasks.classification",
        "step_classification": "snnctl.tasks.classification",
        "video_prediction": "snnctl.tasks.video",
    },
)
DATA = Registry(
    "data",
    {
        "timeseries": "snnctl.data.series.component",
        "order": "snnctl.data.made.order",
        "text": "snnctl.data.texts.component",
        "image": "snnctl.data.images.component",
        "event_frames": "snnctl.data.events.frames",
        "sequential_image": "snnctl.data.images.sequential",
        "event_spikes": "snnctl.data.events.component",
        "mts_xor": "snnctl.data.made.mts_xor",
        "moving_digits": "snnctl.data.video.moving.component",
        "video": "snnctl.data.video.component",
    },
)
SCALERS = Registry(
    "scaler",
    dict.fromkeys(("none", "standard", "global_standard", "max", "column_max", "minmax"), _SCALING),
)
TOKENIZERS = Registry(
    "tokenizer", dict.fromkeys(("word", "character", "byte_pair", "pretrained"), "snnctl.data.texts.tokenizers")
)
ENCODERS = Registry(
    "encoder",
    {
        **_registered_in("snnctl.encoders.direct", "repeat", "delta", "none"),
        **_registered_in("snnctl.encoders.coding", "rate", "latency", "phase"),
        **_modules_of("snnctl.encoders", "conv", "patch", "patch_split", "embedding"),
    },
)
POSITIONS = Registry(
    "position",
    {
        "none": "snnctl.positions.base",
        **_registered_in("snnctl.positions.cpg", "cpg", "cpg_linear", "cpg_learned"),
        **_registered_in("snnctl.positions.absolute", "sinusoid", "learned", "random"),
        "conv": "snnctl.positions.conv",
        **_registered_in("snnctl.positions.attention_bias", "gray", "log"),
    },
)
BACKBONES = Registry(
    "backbone",
    {
        **_modules_of("snnctl.backbones", "spikformer", "ispikformer", "spike_driven", "qkformer", "qkformer_stages"),
        **_modules_of("snnctl.backbones", "spike_mlp", "spike_rnn", "spike_gru", "spike_tcn"),
        **_modules_of("snnctl.backbones", "temporal_conv", "delay_mlp"),
        **_modules_of("snnctl.backbones", "spike_resnet", "spike_vgg", "video_stack", "sim_vp"),
    },
)
NEURONS = Registry(
    "neuron",
    {
        **_registered_in("snnctl.neurons.lif", "if", "lif", "plif"),
        **_modules_of("snnctl.neurons", "tau_lif", "alif", "glif", "klif", "clif", "shift_lif", "cuba_lif"),
        **_modules_of("snnctl.neurons", "tc_lif", "lm_h", "resonate_fire", "stc"),
        **_registered_in("snnctl.neurons.psn", "psn", "masked_psn"),
        **_registered_in("snnctl.neurons.stc_forms", "stc_lif", "stc_plif", "stc_lmh"),
    },
)
SURROGATES = Registry(
    "surrogate",
    _registered_in(
        "snnctl.neurons.surrogate", "atan", "sigmoid", "fast_sigmoid", "rectangle", "triangle", "straight_through"
    ),
)
_LINEAR = ("mean_linear", "flatten_linear", "last_linear", "variate_linear", "step_linear", "frames")
READOUTS = Registry(
    "readout",
    {
        **_registered_in("snnctl.readouts.linear", *_LINEAR),
        **_registered_in("snnctl.readouts.leaky", "leaky", "leaky_step", "spike_count"),
    },
)
BASELINES = Registry(
    "baseline",
    {
        **_registered_in("snnctl.baselines.forecasts", "last_value", "seasonal_naive"),
        **_modules_of("snnctl.baselines", "ridge", "dlinear"),
        **_registered_in("snnctl.baselines.classes", "majority", "linear", "linear_pooled", "linear_step", "ceiling"),
        **_modules_of("snnctl.baselines", "cnn", "tfidf"),
        **_registered_in("snnctl.baselines.continuations", "copy_last", "black", "train_mean"),
    },
    in_lists=True,
)
OPTIMS = Registry("optim", dict.fromkeys(("adam", "adamw", "sgd", "rmsprop"), _OPTIM))
SCHEDULES = Registry("schedule", dict.fromkeys(("constant", "cosine", "step", "one_cycle", "plateau"), _SCHEDULE))

_NETWORK = (ENCODERS, POSITIONS, BACKBONES, NEURONS, SURROGATES, READOUTS)
_EVERY = (TASKS, DATA, SCALERS, TOKENIZERS, *_NETWORK, OPTIMS, SCHEDULES, BASELINES)
REGISTRIES: dict[str, Registry] = {registry.kind: registry for registry in _EVERY}
