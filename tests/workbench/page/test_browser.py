"""The page in a real browser: the system's Chromium, driven by Playwright."""

import io
import os
import shutil

import pytest
from PIL import Image

from tests.workbench.page.test_build import made
from workbench.files import write_text
from workbench.page.build import Extras, render_page
from workbench.page.collect import collect
from workbench.page.compare import compare
from workbench.page.curves import loss_chart
from workbench.page.figures import Figures
from workbench.page.panels import Picture, Sheet

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PHONE, DESK, A4 = (390, 844), (1280, 900), (703, 995)  # A4 without its margins, at 96 dpi
PATIENCE_MS = 600_000  # of a loaded machine, on which nothing else is wrong
PIXEL = "data:image/webp;base64,UklGRhwAAABXRUJQVlA4TA8AAAAvAAAAAAcQ/Y/+ByKi/wEA"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt-get install chromium)"),
]


def figures(report):
    """Figures as runs and artifacts would give, of every table that has been made."""
    curve = [(step, 30 / step) for step in range(10, 900, 10)]
    tables = [table for table in report.tables if table.made]
    runs = {run["run_id"]: curve for table in tables for _, run in table.runs}
    charts = {table.id: loss_chart(table, runs) for table in tables}
    row = tuple(Picture(PIXEL, 220, 220, f"picture {n}") for n in range(9))
    sheet = Sheet(
        tuple(f"Model {n}" for n in range(9)), (row,), ((("A ", None), ("cat", "#c02020")),)
    )
    return Figures({name: each for name, each in charts.items() if each}, {"VI": sheet}, ("One.",))


@pytest.fixture(scope="module")
def address(repository_copy):
    """The page of the repository's mini tables with everything that a page can have."""
    report = collect(repository_copy, "mini")
    changes = {"against": "v1", "commit": "c" * 40, **compare({}, made(report))}
    path = repository_copy / "reports/mini/index.html"
    write_text(path, render_page(report, Extras(figures(report), changes)))
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield running
        running.close()


@pytest.fixture
def show(browser, address):
    """Return a function that opens the page; what the browser complains about fails the test."""
    contexts, complaints = [], []

    def opened(size=DESK, scheme="light", fragment="", **options):
        width, height = size
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda request: complaints.append(request.url) if outside(request) else 0
        )
        page.goto(address + fragment)
        return page

    def outside(request):
        return request.url.partition("#")[0] != address and not request.url.startswith("data:")

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


BROKEN = """() => [...document.querySelectorAll('a[href^="#"]')]
  .filter(a => !document.getElementById(decodeURIComponent(a.hash.slice(1)))).map(a => a.hash)"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
OUTSIDE = """() => [...document.querySelectorAll('main *')]
  .filter(e => !e.closest('.scroll, .hidden, svg'))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.outerHTML.slice(0, 80))"""
GROUND = "() => getComputedStyle(document.body).backgroundColor"
CUT = """() => [...document.querySelectorAll('table.values, table.index')]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => [e.closest('section').id, e.getBoundingClientRect().right])"""
# WCAG 2: contrast of each element's own text with what is painted behind it.
FAINT = """() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  return [...document.querySelectorAll('body *')].filter(e => own(e) && e.checkVisibility())
    .filter(e => !e.closest('script, style, .hidden, .skip'))
    .map(e => {
      const style = getComputedStyle(e);
      const paint = e.closest('svg') ? style.fill : style.color;
      const pair = [light(parse(paint)), light(behind(e))].sort((a, b) => b - a);
      return [(pair[0] + 0.05) / (pair[1] + 0.05), e.outerHTML.slice(0, 90)];
    }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_the_page_never_scrolls_sideways(show, size):
    page = show(size)
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(OUTSIDE) == []


def test_wide_tables_scroll_in_their_own_box_beside_their_first_column(show):
    page = show(PHONE)
    box = page.locator("#table-VI .scroll").first
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    heading = box.locator("tbody th").first
    before = heading.bounding_box()["x"]
    box.evaluate("e => e.scrollLeft = 200")
    assert heading.bounding_box()["x"] == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_against_its_background(show, scheme):
    page = show(scheme=scheme)
    page.evaluate("() => document.querySelectorAll('details').forEach(e => e.open = true)")
    assert page.evaluate(FAINT) == []


def test_light_and_dark_differ_and_a_reader_may_choose(show):
    page = show(scheme="dark")
    dark = page.evaluate(GROUND)
    button = page.get_by_role("button", name="Light")
    button.focus()
    page.keyboard.press("Enter")
    light = page.evaluate(GROUND)
    assert light != dark
    page.reload()
    assert page.evaluate(GROUND) == light
    assert page.get_by_role("button", name="Dark").is_visible()


def test_all_links_lead_somewhere(show):
    page = show()
    assert page.evaluate(BROKEN) == []


def test_a_cell_leads_to_its_runs(show):
    page = show()
    row = page.locator("#row-VI-cropformer")
    row.locator("a.here").first.click()
    runs = page.locator("#run-VI-cropformer")
    runs.wait_for(state="visible")
    assert page.evaluate("() => document.getElementById('runs-VI').open")


def test_a_link_from_elsewhere_opens_what_it_means(show):
    page = show(fragment="#run-X-gella-7b")
    page.locator("#run-X-gella-7b").wait_for(state="visible")


def test_the_first_key_offers_to_skip_the_navigation(show):
    page = show()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.hash") == "#summary"


def test_the_page_works_without_scripts(show):
    page = show(java_script_enabled=False)
    assert page.get_by_role("heading", name="Does it hold?").is_visible()
    assert not page.locator("#theme").is_visible()


def test_print_holds_every_table_on_paper(show):
    page = show(A4, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(GROUND) == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.evaluate(CUT) == []
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


@pytest.mark.parametrize("size", [PHONE, DESK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screenshots_are_not_blank(show, size, scheme):
    page = show(size, scheme)
    for anchor in ("top", "summary", "table-VI", "table-X"):
        page.evaluate(f"() => document.getElementById('{anchor}').scrollIntoView()")
        picture = Image.open(io.BytesIO(page.screenshot())).convert("L")
        dark, light = picture.getextrema()
        assert light - dark > 150, anchor
