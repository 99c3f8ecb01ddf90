"""The report in a real browser, without a network: one page, one session."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from bench.cli import main
from bench.suite import Options, load_metrics, load_system, run
from leaderboards import html
from leaderboards.board import build

pytest.importorskip("av", reason="PyAV is not installed: no Opus in the page")
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


class Faulty:
    """Passes the input on, but for one utterance."""

    def __init__(self, inner):
        self.inner, self.card, self.count = inner, replace(inner.card, name="<faulty>"), 0

    def encode(self, wav):
        self.count += 1
        if self.count == 4:  # the first is the warm-up
            msg = "no & <never>"
            raise RuntimeError(msg)
        return self.inner.encode(wav)

    def decode(self, codes):
        return self.inner.decode(codes)


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """Three systems over six utterances, in their folders."""
    out, metrics = tmp_path_factory.mktemp("report"), load_metrics("si_sdr,stoi,bitrate")
    systems = [load_system("mu_law", "cpu"), load_system("resample:rate=8000", "cpu")]
    for system in systems:
        system.card = replace(system.card, scale="unknown")
    systems.append(Faulty(systems[0]))
    data, found = tiny.limit(6), {}
    for system in systems:
        record, report = run(
            system, data, metrics, Options(out=out / "runs", jobs=1, cache=out / "cache")
        )
        found[report.folder] = record
    return out, data, found


@pytest.fixture(scope="module")
def page(made):
    out, data, folders = made
    board = build(list(folders.values()))
    report = html.collect(board, list(folders.values()), folders, data)
    path = out / "page.html"
    path.write_text(html.render(report), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(page):
    if not (BROWSER and DRIVER):
        pytest.skip("Chromium and its driver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.implicitly_wait(5)
    driver.get(f"file://{page}")
    yield driver
    driver.quit()


def column(browser, at):
    rows = browser.find_elements("css selector", "#board tbody tr:not(.block)")
    return [row.find_elements("css selector", "th, td")[at].text for row in rows if row.text]


def go(browser, view):
    browser.execute_script(f"location.hash = {view!r}")


def test_the_table_stands_without_script(page, made):
    text = page.read_text(encoding="utf-8")
    static = text[text.index("<tbody>") : text.index("</table>")]
    assert "mu_law" in static
    assert "&lt;faulty&gt;" in static
    assert "<faulty>" not in text
    assert "83 % scored" in static
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text)  # nothing from elsewhere


def test_sorting(browser):
    go(browser, "#/")
    head = browser.find_element("css selector", '[data-column="1"]')
    head.click()
    down = column(browser, 4)
    assert head.find_element("xpath", "..").get_attribute("aria-sort") == "descending"
    assert [float(v.split()[0]) for v in down] == sorted(float(v.split()[0]) for v in down)[::-1]
    head.click()
    assert column(browser, 4) == down[::-1]
    browser.find_element("css selector", '[data-column="name"]').click()
    assert column(browser, 1) == sorted(column(browser, 1))


def test_filtering(browser):
    go(browser, "#/")
    box = browser.find_element("id", "filter")
    box.send_keys("mu_l")
    assert [name.partition(":")[0] for name in column(browser, 1)] == ["mu_law"]
    assert browser.find_element("id", "shown").text == "1 of 3 systems"
    box.send_keys("\b" * 4)
    assert len(column(browser, 1)) == 3


def test_hover_and_focus_tell_interval_and_signature(browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    go(browser, "#/")
    cells = browser.find_elements("css selector", "#board td[data-tip]")
    ActionChains(browser).move_to_element(cells[0]).perform()
    tip = browser.find_element("id", "tip")
    said = tip.text
    assert tip.is_displayed()
    assert "95 % interval" in said
    assert "si_sdr|zero_mean:True" in said
    assert re.search(r"[56] utterances of [34] speakers, coverage", said)
    assert cells[0].get_attribute("aria-describedby") == "tip"
    browser.execute_script("document.querySelector('#board td[tabindex=\"0\"]').focus()")
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    focused = browser.switch_to.active_element
    assert focused.get_attribute("data-tip").startswith("STOI")
    assert "stoi|" in tip.text
    assert len(browser.find_elements("css selector", '#board td[tabindex="0"]')) == 1
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not tip.is_displayed()


def test_a_system_and_its_worst_utterances(browser):
    go(browser, "#/")
    browser.find_element("link text", "<faulty>").click()
    view = browser.find_element("css selector", 'section[data-view="system"]')
    assert view.find_element("tag name", "h2").text == "<faulty>"
    first = view.find_elements("css selector", "tbody tr")[0]
    assert "failed" in first.text  # what failed is worse than any score
    assert "no & <never>" in first.find_element("css selector", "[data-tip]").get_attribute(
        "data-tip"
    )
    values = [
        float(row.find_elements("tag name", "td")[1].text)
        for row in view.find_elements("css selector", "tbody tr")[1:]
    ]
    assert values == sorted(values)


def test_an_utterance_plays(browser):
    from selenium.webdriver.support.ui import WebDriverWait

    go(browser, "#/utterance/u1")
    wait = WebDriverWait(browser, 10)
    players = browser.find_elements("css selector", "#utterance audio")
    assert len(players) == 4  # the recording, and one for each system
    ready = "return [...document.querySelectorAll('#utterance audio')].every(a => a.readyState > 0)"
    wait.until(lambda b: b.execute_script(ready))
    for player in players:
        seconds = browser.execute_script("return arguments[0].duration", player)
        assert seconds == pytest.approx(0.8, abs=0.1)
        assert browser.execute_script("return arguments[0].error", player) is None
    drawn = "return [...document.querySelectorAll('#utterance canvas')].map(c => +c.dataset.drawn)"
    wait.until(lambda b: all(b.execute_script(drawn)))
    colours = browser.execute_script(
        "const c = document.querySelector('#utterance canvas');"
        "return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert colours > 50  # a picture, and not one colour


def test_every_view_and_an_unknown_one(browser):
    for view, heading in (
        ("plots", "Plots"),
        ("utterances", "Utterances"),
        ("papers", "Papers"),
        ("conditions", "Conditions"),
        ("", "Board"),
        ("no-such-view", "Board"),
        ("utterance/none", "Board"),
    ):
        go(browser, f"#/{view}")
        seen = [h.text for h in browser.find_elements("css selector", "section.on h2")]
        assert seen == [heading], view
    assert len(browser.find_elements("css selector", "figure svg")) >= 3


def test_small_screens_do_not_scroll_sideways(browser):
    device = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    try:
        for view in ("", "plots", "papers", "utterances", "utterance/u1", "conditions"):
            go(browser, f"#/{view}")
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= 390, view
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_contrast_in_light_and_dark(browser):
    """WCAG AA, 4.5 to 1, of the colours that text has."""

    def luminance(colour):
        rgb = np.array([int(c) for c in re.findall(r"\d+", colour)[:3]]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    script = """
      const probe = document.body.appendChild(document.createElement("p"));
      const colour = (name) => {
        probe.style.color = `var(--${name})`;
        return getComputedStyle(probe).color;
      };
      const found = ["ground", "raised", "best", "ink", "soft", "link", "warn"].map(colour);
      probe.remove();
      return found;
    """
    for scheme in ("light", "dark"):
        feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
        levels = [luminance(c) for c in browser.execute_script(script)]
        for ground in levels[:3]:
            for text in levels[3:]:
                dark, light = sorted((ground, text))
                assert (light + 0.05) / (dark + 0.05) >= 4.5, scheme
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_no_errors_and_nothing_fetched(browser):
    assert browser.get_log("browser") == []
    sent = [e["message"] for e in browser.get_log("performance")]
    urls = {u for m in sent for u in re.findall(r'"url":"((?:https?|ftp|wss?):[^"]*)"', m)}
    assert urls == set()


def test_command(made, tmp_path):
    folders = [str(f) for f in made[2]]
    out = tmp_path / "page.html"
    args = ["board", *folders, "--format", "html", "--audio", "flac", "--min-coverage", "0"]
    done = CliRunner().invoke(main, [*args, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "no recordings or texts in the page" in done.stderr  # the manifest's path is not known
    text = out.read_text(encoding="utf-8")
    assert text.count("data:audio/flac") == 6 * 3 - 1
    done = CliRunner().invoke(main, args)
    assert (done.exit_code, "--out FILE.html" in done.stderr) == (2, True)


def test_audio_keeps_to_its_budget(tmp_path):
    """200 utterances of 5 s by six systems and the recordings: 117 minutes."""
    random, rate, files = np.random.default_rng(0), 16000, {}
    for i in range(4):
        wav = 0.1 * random.standard_normal(5 * rate)
        soundfile.write(tmp_path / f"{i}.wav", wav, rate)
        files[f"u{i}"] = [tmp_path / f"{i}.wav"]
    budget = html.BUDGET * 4 / (200 * 7)
    coded, said = html._embedded(files, "opus", budget)
    assert len(coded) == 4
    assert "Opus at 16 kbps" in said
    assert sum(len(uri) for row in coded.values() for uri in row) < 20e6 * 4 / (200 * 7)
    coded, said = html._embedded(files, "flac", budget)
    assert len(coded) < 4
    assert f"The worst {len(coded)} of 4 utterances have it." in said
    assert html._embedded(files, "none", budget) == ({}, "")
