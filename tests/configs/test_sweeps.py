"""Every sweep's names are paths in its training's config, and what it samples builds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
import yaml
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import HOOKS, LOOPS, init_default_scope
from mmengine.utils import import_modules_from_strings

from workbench.errors import BadInput
from workbench.sweeps import grounding, hooks  # noqa: F401  (register what configs name)
from workbench.sweeps.config import base_config, shorten, trial_config
from workbench.sweeps.results import changes
from workbench.sweeps.spec import load_spec, sweep_names
from workbench.sweeps.study import distribution, make_sampler, quiet_optuna

ROOT = Path(__file__).parents[2]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
NUM_POINTS = 8
REPORT = {"type": "ReportToStudy", "metric": "APe"}


def points(spec) -> list[dict]:
    quiet_optuna()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    make_sampler(spec, 0)
    distributions = {p.name: distribution(p) for p in spec.space}
    return [study.ask(distributions).params for _ in range(NUM_POINTS)]


def value_at(config, path: str):
    for name in path.split("."):
        config = config[int(name) if isinstance(config, list | tuple) else name]
    return config


@pytest.fixture(params=sweep_names(ROOT))
def spec(request, monkeypatch):
    monkeypatch.chdir(ROOT)
    return load_spec(request.param, ROOT)


@pytest.mark.parametrize("scale", ["mini", "smoke"])
def test_sampled_values_are_in_the_trials_config(spec, scale):
    base = base_config(spec, {**PARAMS, "scale": scale})
    before = base.pretty_text
    for number, sampled in enumerate(points(spec)):
        config = trial_config(base, spec, sampled, number, [REPORT])
        for parameter in spec.space:
            for path in parameter.paths:
                assert value_at(config, path) == parameter.value(sampled[parameter.name]), path
        assert config.sweep_trial == number and config.custom_hooks == [REPORT]
        assert config.train_cfg.max_iters <= spec.budget.iterations
    assert base.pretty_text == before, "a trial changes the config that all share"


def test_at_another_scale_a_path_that_is_not_there_is_named(monkeypatch):
    """The paper's schedule has no eta_max, and its rates are others."""
    monkeypatch.chdir(ROOT)
    spec = load_spec("cropformer", ROOT)
    with pytest.raises(BadInput, match=r"optimizer.lr: the config has no param_scheduler.0.eta_max"):
        base_config(spec, {**PARAMS, "scale": "paper"})


def test_models_and_pipelines_of_sampled_configs_build(monkeypatch):
    monkeypatch.chdir(ROOT)
    spec = load_spec("cropformer", ROOT)
    base = base_config(spec, {**PARAMS, "scale": "mini"})
    import_modules_from_strings(**base.custom_imports)
    init_default_scope("mmdet")
    for sampled in points(spec)[:3]:
        config = trial_config(base, spec, sampled, 0, [REPORT])
        model = MODELS.build(config.model)
        layers = sampled["model.head.association.num_layers"]
        assert len(model.head.association.layers) == layers
        assert model.head.image_loss_weight == sampled["model.head.image_loss_weight"]
        assert HOOKS.build(config.custom_hooks[0]).metric == "APe"


def test_the_grounding_loop_is_registered(monkeypatch):
    monkeypatch.chdir(ROOT)
    spec = load_spec("gella", ROOT)
    assert LOOPS.get(base_config(spec, PARAMS).val_cfg.type) is grounding.GroundingLoop


@pytest.mark.parametrize("name", ["cropformer", "gella"])
def test_best_values_go_where_the_training_and_the_stages_read_them(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    spec = load_spec(name, ROOT)
    sampled = points(spec)[0]
    merged = changes(SimpleNamespace(spec=spec, params=PARAMS), sampled)
    if name == "gella":
        assert merged["ground"] == {"gella-7b": {"threshold": sampled["val_cfg.threshold"]}}
        assert "val_cfg" not in merged["finetune"]["gella-7b"]["overrides"]
    else:
        ratio = sampled["train_dataloader.dataset.pipeline.3.ratio"]
        loader = merged["train"]["cropformer"]["overrides"]["train_dataloader"]
        assert loader == {"dataset": {"pipeline": {"3": {"ratio": ratio}}}}


def test_shortening_keeps_the_schedules_shape():
    schedule = [
        {"type": "LinearLR", "begin": 0, "end": 80, "start_factor": 0.04},
        {"type": "CosineAnnealingLR", "begin": 80, "end": 1100, "T_max": 1020},
        {"type": "MultiStepLR", "milestones": [880, 990]},
    ]
    config = Config({"train_cfg": {"max_iters": 1100}, "param_scheduler": schedule})
    shorten(config, 550, 200)
    linear, cosine, steps = config.param_scheduler
    assert (linear.end, cosine.begin, cosine.end, cosine.T_max) == (40, 40, 550, 510)
    assert steps.milestones == [440, 495] and linear.start_factor == 0.04
    assert config.train_cfg == {"max_iters": 550, "val_interval": 200}
    shorten(config, 9000, 9000)
    assert config.train_cfg == {"max_iters": 550, "val_interval": 550}
