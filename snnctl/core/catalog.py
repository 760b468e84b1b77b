"""Every registry, and the explicit table of what ships with snnctl (name -> module)."""

from __future__ import annotations

from snnctl.core.registry import Registry


def _modules_of(room: str, *names: str) -> dict[str, str]:
    """Components that are each alone in a module of their name."""
    return {name: f"{room}.{name}" for name in names}


_SURROGATE = "snnctl.neurons.surrogate"
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
        **dict.fromkeys(("repeat", "delta", "none"), "snnctl.encoders.direct"),
        **dict.fromkeys(("rate", "latency", "phase"), "snnctl.encoders.coding"),
        **_modules_of("snnctl.encoders", "conv", "patch", "patch_split", "embedding"),
    },
)
POSITIONS = Registry(
    "position",
    {
        "none": "snnctl.positions.base",
        **dict.fromkeys(("cpg", "cpg_linear", "cpg_learned"), "snnctl.positions.cpg"),
        **dict.fromkeys(("sinusoid", "learned", "random"), "snnctl.positions.absolute"),
        "conv": "snnctl.positions.conv",
        **dict.fromkeys(("gray", "log"), "snnctl.positions.attention_bias"),
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
        **dict.fromkeys(("if", "lif", "plif"), "snnctl.neurons.lif"),
        **_modules_of("snnctl.neurons", "tau_lif", "alif", "glif", "klif", "clif", "shift_lif", "cuba_lif"),
        **_modules_of("snnctl.neurons", "tc_lif", "lm_h", "resonate_fire", "stc"),
        **dict.fromkeys(("psn", "masked_psn"), "snnctl.neurons.psn"),
        **dict.fromkeys(("stc_lif", "stc_plif", "stc_lmh"), "snnctl.neurons.stc_forms"),
    },
)
SURROGATES = Registry(
    "surrogate",
    dict.fromkeys(("atan", "sigmoid", "fast_sigmoid", "rectangle", "triangle", "straight_through"), _SURROGATE),
)
_LINEAR = ("mean_linear", "flatten_linear", "last_linear", "variate_linear", "step_linear", "frames")
READOUTS = Registry(
    "readout",
    {
        **dict.fromkeys(_LINEAR, "snnctl.readouts.linear"),
        **dict.fromkeys(("leaky", "leaky_step", "spike_count"), "snnctl.readouts.leaky"),
    },
)
BASELINES = Registry(
    "baseline",
    {
        **dict.fromkeys(("last_value", "seasonal_naive"), "snnctl.baselines.forecasts"),
        **_modules_of("snnctl.baselines", "ridge", "dlinear"),
        **dict.fromkeys(("majority", "linear", "linear_pooled", "linear_step", "ceiling"), "snnctl.baselines.classes"),
        **_modules_of("snnctl.baselines", "cnn", "tfidf"),
        **dict.fromkeys(("copy_last", "black", "train_mean"), "snnctl.baselines.continuations"),
    },
    in_lists=True,
)
OPTIMS = Registry("optim", dict.fromkeys(("adam", "adamw", "sgd", "rmsprop"), _OPTIM))
SCHEDULES = Registry("schedule", dict.fromkeys(("constant", "cosine", "step", "one_cycle", "plateau"), _SCHEDULE))

_NETWORK = (ENCODERS, POSITIONS, BACKBONES, NEURONS, SURROGATES, READOUTS)
_EVERY = (TASKS, DATA, SCALERS, TOKENIZERS, *_NETWORK, OPTIMS, SCHEDULES, BASELINES)
REGISTRIES: dict[str, Registry] = {registry.kind: registry for registry in _EVERY}
