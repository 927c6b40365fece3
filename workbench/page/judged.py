"""A table's claims with both verdicts: on the numbers made here and on the printed ones."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.page.collect import ReportTable
from workbench.page.on_paper import OnPaper, on_paper
from workbench.reporting.claims import NOT_RUN, Verdict


@dataclass(frozen=True)
class JudgedClaim:
    """A claim, its table and its verdicts; ``magnitude`` as in its description."""

    id: str
    table: str
    text: str
    expr: str
    magnitude: bool
    here: Verdict
    paper: OnPaper


def judged_claims(table: ReportTable) -> list[JudgedClaim]:
    """Return a table's claims in the order of its description."""
    verdicts = {
        claim["id"]: Verdict(claim["verdict"], claim["reason"]) for claim in table.content["claims"]
    }
    if not table.made:
        verdicts = {}
    absent = "has no such claim yet" if table.made else "has not been made"
    not_run = Verdict(NOT_RUN, f"Table {table.id} {absent}: dvc repro table@{table.id}")
    return [
        JudgedClaim(
            claim.id,
            table.id,
            claim.claim,
            claim.expr,
            claim.magnitude,
            verdicts.get(claim.id, not_run),
            on_paper(claim, table.spec),
        )
        for claim in table.spec.claims
    ]
