"""``esg train`` and ``esg evaluate``: one run, one score, outside the pipeline."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import Any

from workbench.cli.output import add_json_option, print_json, probability
from workbench.errors import BadInput

_WORDS = {"true": True, "false": False, "none": None, "null": None}


def add_verbs(verbs: Any) -> None:
    """Add ``train`` and ``evaluate``."""
    train = verbs.add_parser(
        "train",
        help="train one config",
        description="Train one MMEngine config and log the run. Interrupted (exit code 75), it is "
        "continued by the same command with --resume.",
        allow_abbrev=False,
    )
    train.add_argument("config", type=Path, metavar="CONFIG", help="e.g. a file under configs/")
    train.add_argument(
        "--resume", action="store_true", help="continue or reuse the run of the same fingerprint"
    )
    train.add_argument("--seed", type=int, default=0, help="non-negative (default: 0)")
    train.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="over the config's values"
    )
    add_json_option(train)
    train.set_defaults(run=run_train)

    evaluate = verbs.add_parser(
        "evaluate",
        help="score a predictions file",
        description="Score predictions of the stages or of any other tool against a data set, or "
        "annotations. docs/predictions.md describes the files of each metric.",
        allow_abbrev=False,
    )
    evaluate.add_argument(
        "predictions", type=Path, nargs="?", metavar="PREDICTIONS", help="file or folder; none for "
        "shape_statistics of a data set and, of an entity drawn at random, referring_iou",
    )  # fmt: skip
    evaluate.add_argument(
        "--dataset", required=True, metavar="NAME", help="of params.yaml, or a path: a manifest, "
        "an annotation file or, for dichotomous, a folder",
    )  # fmt: skip
    evaluate.add_argument(
        "--metric",
        default="entity_ap",
        metavar="NAME",
        help="entity_ap, grounding_recall or one number of them; instance_ap, sginw_ap, mean_iou, "
        "panoptic_quality, referring_iou, dichotomous, tube_ap, tube_entity_ap, vpq, "
        "annotator_agreement, shape_statistics",
    )
    evaluate.add_argument(
        "--threshold", type=probability, default=0.5, metavar="P", help="above it, a plural phrase "
        "means an entity; for grounding_recall (default: 0.5)",
    )  # fmt: skip
    evaluate.add_argument("--split", default="val", help="of the data set (default: val)")
    add_json_option(evaluate)
    evaluate.set_defaults(run=run_evaluate)


def run_train(arguments: argparse.Namespace) -> int:
    """Train and say where the weights are."""
    from workbench.stages.train import train_config

    if arguments.seed < 0:
        raise BadInput("--seed", "SEED", str(arguments.seed), "give a non-negative integer")
    options = parse_options(arguments.cfg_options)
    result = train_config(arguments.config, arguments.resume, options, arguments.seed)
    if arguments.json:
        print_json(result)
        return 0
    score = (result.get("val") or {}).get("APe")
    scored = "" if score is None else f", validation APe {100 * score:.1f}"
    print(f"{result['iterations']} iterations in {result['wall_time_s']:.0f} s{scored}")
    print(f"weights: {result['weights']}")
    return 0


def parse_options(options: list[str]) -> dict[str, Any]:
    """Parse ``a.b=value``: numbers, lists, true, false, none; anything else is text.

    Raises:
        BadInput: No ``=``, an empty key, or a key twice.
    """
    parsed: dict[str, Any] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals or not key.strip("."):
            raise BadInput(
                "--cfg-options", option, "not KEY=VALUE", "write e.g. train_cfg.max_iters=9"
            )
        if key in parsed:
            raise BadInput("--cfg-options", key, "given twice", "give it once")
        parsed[key] = _value(text)
    return parsed


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Score and print, fractions in percent unless they have a unit, or with ``--json`` as is."""
    from workbench.stages.evaluate import evaluate_predictions

    result = evaluate_predictions(
        arguments.predictions,
        arguments.dataset,
        arguments.metric,
        arguments.split,
        arguments.threshold,
    )
    if arguments.json:
        print_json(result)
        return 0
    width = max(6, *map(len, result["metrics"]))
    for name, value in result["metrics"].items():
        print(f"{name:<{width}} {_printed(value, result.get('units', {}).get(name))}")
    for remark in result["remarks"]:
        print(f"note: {remark}")
    return 0


def _printed(value: float | None, unit: str | None) -> str:
    """Return a number as the tables print its kind: percent, ratios of three digits, amounts."""
    if value is None:
        return "undefined"
    if unit is None:
        return f"{100 * value:.1f}"
    return f"{value:.3f}" if unit == "ratio" else f"{value:.1f} {unit}"
