"""Every registry, and the explicit table of what ships with snnctl (name -> module)."""

from __future__ import annotations

from snnctl.core.registry import Registry

_LIF = "snnctl.neurons.lif"
_CPG = "snnctl.positions.cpg"
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
        "repeat": "snnctl.encoders.direct",
        "delta": "snnctl.encoders.direct",
        "conv": "snnctl.encoders.conv",
        "rate": "snnctl.encoders.coding",
        "latency": "snnctl.encoders.coding",
        "phase": "snnctl.encoders.coding",
        "patch": "snnctl.encoders.patch",
        "patch_split": "snnctl.encoders.patch_split",
        "embedding": "snnctl.encoders.embedding",
        "none": "snnctl.encoders.direct",
    },
)
POSITIONS = Registry(
    "position",
    {
        "none": "snnctl.positions.base",
        "cpg": _CPG,
        "cpg_linear": _CPG,
        "cpg_learned": _CPG,
        "sinusoid": "snnctl.positions.absolute",
        "learned": "snnctl.positions.absolute",
        "conv": "snnctl.positions.conv",
        "random": "snnctl.positions.absolute",
        "gray": "snnctl.positions.attention_bias",
        "log": "snnctl.positions.attention_bias",
    },
)
BACKBONES = Registry(
    "backbone",
    {
        "spikformer": "snnctl.backbones.spikformer",
        "ispikformer": "snnctl.backbones.ispikformer",
        "spike_mlp": "snnctl.backbones.spike_mlp",
        "spike_rnn": "snnctl.backbones.spike_rnn",
        "spike_gru": "snnctl.backbones.spike_gru",
        "spike_tcn": "snnctl.backbones.spike_tcn",
        "spike_driven": "snnctl.backbones.spike_driven",
        "qkformer": "snnctl.backbones.qkformer",
        "qkformer_stages": "snnctl.backbones.qkformer_stages",
        "temporal_conv": "snnctl.backbones.temporal_conv",
        "delay_mlp": "snnctl.backbones.delay_mlp",
        "spike_resnet": "snnctl.backbones.spike_resnet",
        "spike_vgg": "snnctl.backbones.spike_vgg",
        "video_stack": "snnctl.backbones.video_stack",
        "sim_vp": "snnctl.backbones.sim_vp",
    },
)
NEURONS = Registry(
    "neuron",
    {
        "if": _LIF,
        "lif": _LIF,
        "plif": _LIF,
        "tau_lif": "snnctl.neurons.tau_lif",
        "alif": "snnctl.neurons.alif",
        "glif": "snnctl.neurons.glif",
        "klif": "snnctl.neurons.klif",
        "clif": "snnctl.neurons.clif",
        "shift_lif": "snnctl.neurons.shift_lif",
        "cuba_lif": "snnctl.neurons.cuba_lif",
        "tc_lif": "snnctl.neurons.tc_lif",
        "lm_h": "snnctl.neurons.lm_h",
        "psn": "snnctl.neurons.psn",
        "masked_psn": "snnctl.neurons.psn",
        "resonate_fire": "snnctl.neurons.resonate_fire",
        "stc": "snnctl.neurons.stc",
        "stc_lif": "snnctl.neurons.stc_forms",
        "stc_plif": "snnctl.neurons.stc_forms",
        "stc_lmh": "snnctl.neurons.stc_forms",
    },
)
SURROGATES = Registry(
    "surrogate",
    dict.fromkeys(("atan", "sigmoid", "fast_sigmoid", "rectangle", "triangle", "straight_through"), _SURROGATE),
)
READOUTS = Registry(
    "readout",
    {
        "mean_linear": "snnctl.readouts.linear",
        "flatten_linear": "snnctl.readouts.linear",
        "last_linear": "snnctl.readouts.linear",
        "variate_linear": "snnctl.readouts.linear",
        "step_linear": "snnctl.readouts.linear",
        "leaky": "snnctl.readouts.leaky",
        "leaky_step": "snnctl.readouts.leaky",
        "spike_count": "snnctl.readouts.leaky",
        "frames": "snnctl.readouts.linear",
    },
)
BASELINES = Registry(
    "baseline",
    {
        "last_value": "snnctl.baselines.forecasts",
        "seasonal_naive": "snnctl.baselines.forecasts",
        "ridge": "snnctl.baselines.ridge",
        "dlinear": "snnctl.baselines.dlinear",
        "majority": "snnctl.baselines.classes",
        "linear": "snnctl.baselines.classes",
        "linear_pooled": "snnctl.baselines.classes",
        "cnn": "snnctl.baselines.cnn",
        "tfidf": "snnctl.baselines.tfidf",
        "linear_step": "snnctl.baselines.classes",
        "ceiling": "snnctl.baselines.classes",
        "copy_last": "snnctl.baselines.continuations",
        "black": "snnctl.baselines.continuations",
        "train_mean": "snnctl.baselines.continuations",
    },
    in_lists=True,
)
OPTIMS = Registry("optim", dict.fromkeys(("adam", "adamw", "sgd", "rmsprop"), _OPTIM))
SCHEDULES = Registry("schedule", dict.fromkeys(("constant", "cosine", "step", "one_cycle", "plateau"), _SCHEDULE))

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
