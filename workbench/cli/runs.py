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
        description="Score masks (.jsonl of the segment stage, or COCO results of any tool, .json) "
        "or groundings (.jsonl of the ground stage or of any tool) against a data set.",
        allow_abbrev=False,
    )
    evaluate.add_argument("predictions", type=Path, metavar="PREDICTIONS")
    evaluate.add_argument(
        "--dataset", required=True, metavar="NAME", help="of params.yaml, or a JSON file: a "
        "manifest or COCO annotations",
    )  # fmt: skip
    evaluate.add_argument(
        "--metric",
        default="entity_ap",
        metavar="NAME",
        help="entity_ap, grounding_recall or one number of them",
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
    """Score one file and print its metrics in percent, or as fractions with ``--json``."""
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
        print(f"{name:<{width}} {'undefined' if value is None else f'{100 * value:.1f}'}")
    for remark in result["remarks"]:
        print(f"note: {remark}")
    return 0
