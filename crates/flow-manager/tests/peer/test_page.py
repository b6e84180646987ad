"""The page in a real browser: what a person does with it, with a mouse and without, on a telephone and in the dark.

`SCREENSHOTS` names a folder that pictures are left in. The tests of this file go in their order.
"""

import os
import pathlib

import pytest
from browser import Browser
from engine import COMMANDS, IMAGE

WIDE, NARROW = (1280, 1000), (375, 800)
NAME = "page-flow"
ROW = f"[...document.querySelectorAll('#containers > li')].find((row) => row.querySelector('.name').textContent === '{NAME}')"
STATE = f"{ROW}?.querySelector('.mark').textContent"
HOSTILE = "<img src=x onerror=document.title='harmed'>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    browser.size(*WIDE)
    yield browser
    browser.stop()


@pytest.fixture
def picture(browser):
    def take(name):
        if folder := os.environ.get("SCREENSHOTS"):
            browser.screenshot(pathlib.Path(folder) / f"{name}.png")
    return take


def press(browser, button, name=NAME):
    browser.click(f'button[aria-label="{button} {name}"]')


def fits(browser):
    """Nothing is wider than the window."""
    return browser.ask("document.documentElement.scrollWidth <= window.innerWidth")


def create(browser, name):
    browser.click("#create")
    browser.type("#create-dialog [name=image]", IMAGE)
    browser.type("#create-dialog [name=name]", name)
    browser.type("#create-dialog [name=command]", " ".join(COMMANDS["python"]))
    browser.type("#create-dialog [name=environment]", f"GREETING={HOSTILE}\nEMPTY=")
    browser.click("#create-dialog button.main")


def test_token_is_asked_for_and_a_wrong_one_is_refused(browser, page_of, picture):
    url, _ = page_of
    browser.open(f"{url}/")
    browser.until("document.getElementById('token-dialog').open")
    picture("token")
    browser.type("#token-dialog input", "wrong" * 10)
    browser.press("Enter")
    text = browser.until("document.querySelector('#token-dialog[open] .refused:not([hidden])')?.textContent")
    assert "invalid_token" in text
    assert browser.ask("sessionStorage.length") == 0


def test_right_token_is_kept_in_this_tab_alone(browser, page_of):
    _, token = page_of
    browser.type("#token-dialog input", token)
    browser.press("Enter")
    browser.until("document.getElementById('state').textContent === 'connected'")
    assert browser.ask("Object.values(sessionStorage)") == [token]
    assert browser.ask("localStorage.length") == 0 and browser.ask("document.cookie") == ""
    browser.open(page_of[0] + "/")
    browser.until("document.getElementById('state').textContent === 'connected'")
    assert token not in browser.ask("document.documentElement.outerHTML")


def test_create_starts_it_and_tells_figures(browser, picture):
    create(browser, NAME)
    browser.until(f"{STATE} === 'running'")
    browser.until(f"/up \\d+ s/.test({ROW}.querySelector('.figures').textContent)")
    browser.until(f"/CPU [\\d.]+ %memory [\\d.]+ [KM]?i?B of/.test({ROW}.querySelector('.figures').textContent)")
    browser.until(f"!{ROW}.querySelectorAll('.mark')[2].hidden")
    assert browser.ask("document.getElementById('done').textContent") == f"{NAME} started"
    picture("list")


def test_refused_creation_is_told_in_the_dialog_and_keeps_what_was_typed(browser):
    browser.click("#create")
    browser.type("#create-dialog [name=image]", "missing:1")
    browser.click("#create-dialog button.main")
    text = browser.until("document.querySelector('#create-dialog .refused:not([hidden])')?.textContent")
    assert "image_not_found" in text or "image_not_allowed" in text
    assert browser.ask("document.querySelector('#create-dialog [name=image]').value") == "missing:1"
    browser.type("#create-dialog [name=environment]", "no equals sign")
    browser.click("#create-dialog button.main")
    browser.until("document.querySelector('#create-dialog .refused').textContent.includes('no equals sign')")
    browser.ask("document.querySelector('#create-dialog form').reset()")
    browser.press("Escape")
    browser.until("!document.getElementById('create-dialog').open")


def test_message_is_answered_and_log_is_live(browser, picture):
    press(browser, "Open")
    browser.until("document.activeElement.id === 'detail-title'")
    browser.type("#message [name=command]", "dump")
    browser.type("#message [name=data]", '{"text": "' + HOSTILE.replace("'", "") + '"}')
    browser.click("#message button")
    browser.until("[...document.querySelectorAll('#messages li')].some((line) => /reply/.test(line.textContent))")
    browser.until("/dump/.test(document.getElementById('log').textContent)")
    picture("detail")


def test_failed_command_and_broken_json_are_told(browser):
    browser.ask("document.getElementById('message').reset()")
    browser.type("#message [name=command]", "fly")
    browser.click("#message button")
    browser.until("document.querySelector('#messages .bad')?.textContent.includes('unknown_command')")
    browser.type("#message [name=data]", "{")
    browser.click("#message button")
    assert "no JSON" in browser.ask("document.querySelector('#message [name=data]').validationMessage")


def test_flow_s_events_are_shown(browser):
    browser.ask("document.getElementById('message').reset()")
    browser.type("#message [name=command]", "emit")
    browser.type("#message [name=data]", '{"count": 2, "name": "<b>step"}')
    browser.click("#message button")
    browser.until("[...document.querySelectorAll('#messages li')].some((line) => line.textContent.includes('event <b>step'))")


def test_what_came_from_outside_is_only_text(browser):
    assert browser.ask("document.images.length") == 0
    assert browser.ask("document.querySelectorAll('#messages b, #log b, #activity b').length") == 0
    assert browser.ask("document.title") == "flow-manager"
    assert HOSTILE in browser.ask("document.getElementById('facts').textContent")


def test_restart_begins_the_uptime_anew(browser):
    browser.until(f"/up ([3-9]|\\d\\d) s/.test({ROW}.querySelector('.figures').textContent)")
    press(browser, "Restart")
    browser.until("document.getElementById('done').textContent.endsWith('restarted')")
    browser.until(f"/up [012] s/.test({ROW}.querySelector('.figures').textContent)")


def test_activity_is_told_with_the_container_s_name(browser):
    sentences = "[...document.querySelectorAll('#activity span')].map((one) => one.textContent)"
    for sentence in (f"{NAME} created", f"{NAME}: message sent: dump", f"{NAME}: flow started"):
        browser.until(f"{sentences}.includes('{sentence}')")


def test_reconnect_goes_on_where_it_was(browser, page_of):
    newest = "document.getElementById('activity').firstElementChild.textContent"
    before = browser.ask(newest)
    browser.offline(True)
    try:
        browser.until("document.getElementById('state').className === 'lost'")
        press(browser, "Stop")
        browser.until("document.getElementById('notice').textContent.includes('not connected')")
    finally:
        browser.offline(False)
    browser.until("document.getElementById('state').textContent === 'connected'")
    assert browser.ask(STATE) == "running", "what was pressed without a connection was done after it"
    press(browser, "Stop")
    browser.until(f"{STATE} === 'stopped'")
    lines = browser.ask("[...document.querySelectorAll('#log div')].map((line) => line.textContent)")
    assert len(lines) == len(set(lines)) or lines.count(lines[-1]) < 3, lines
    # The list is cut at its length: how long it is says nothing.
    assert browser.until(f"{newest}.includes('{NAME}') && {newest}") != before


def test_light_and_dark_differ(browser, picture):
    light, dark = browser.scheme("light"), browser.scheme("dark")
    assert light != dark
    picture("dark")
    browser.size(*NARROW)
    picture("narrow-dark")
    browser.scheme("light")
    picture("narrow")
    assert fits(browser)
    browser.size(*WIDE)


def test_telephone_shows_all_without_scrolling_sideways(browser, picture):
    browser.size(*NARROW)
    browser.click("#close-detail")
    assert fits(browser)
    tops = "['h1', '#state', '#sign-out'].map((one) => document.querySelector(one).getBoundingClientRect())"
    assert browser.ask(f"(([one, ...others]) => others.every((other) => other.top < one.bottom))({tops})"), "one line"
    picture("narrow-list")
    browser.click("#create")
    assert fits(browser)
    assert browser.ask("document.getElementById('create-dialog').getBoundingClientRect().right <= window.innerWidth")
    picture("narrow-create")
    browser.press("Escape")
    small = browser.ask("[...document.querySelectorAll('button')].filter((one) => one.offsetParent)"
                        ".filter((one) => one.getBoundingClientRect().height < 32).map((one) => one.textContent)")
    assert small == []
    browser.size(*WIDE)


def test_keyboard_alone_creates_starts_writes_stops_and_deletes(browser, picture):
    browser.open(browser.ask("location.href"))
    browser.until("document.getElementById('state').textContent === 'connected'")
    assert browser.until(f"document.getElementById('activity').textContent.includes('{NAME}: message sent')"), "what was before is told"
    browser.tab_to("create")
    browser.press("Enter")
    for field, text in (("image", IMAGE), ("name", "keys"), ("command", " ".join(COMMANDS["python"]))):
        browser.tab_to(field)
        browser.press(text)
    browser.press("Enter")
    row = ROW.replace(NAME, "keys")
    browser.until(f"{row}?.querySelector('.mark').textContent === 'running'")
    browser.until(f"!{row}.querySelectorAll('.mark')[2].hidden")
    browser.until("document.activeElement.getAttribute('aria-label') === 'Open keys'")
    outline = browser.ask("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    picture("focus")
    browser.press("Enter")
    browser.until("document.activeElement.id === 'detail-title'")
    browser.tab_to("command")
    browser.press("dump", "Enter")
    browser.until("[...document.querySelectorAll('#messages li')].some((line) => /reply/.test(line.textContent))")
    browser.tab_to("close-detail", 80)
    browser.press("Enter")
    assert browser.focused() == "Open keys"
    browser.tab_to("Stop keys")
    browser.press("Space")
    browser.until(f"{row}.querySelector('.mark').textContent === 'stopped'")
    browser.until(f"{row}.getAttribute('aria-busy') === 'false'")
    assert browser.focused() == "Stop keys", "the focus stays where it was"
    browser.tab_to("Delete keys")
    browser.press("Enter")
    browser.until("document.getElementById('delete-dialog').open")
    assert browser.focused() == "Cancel"
    picture("delete")
    browser.press("Escape")
    browser.until("!document.getElementById('delete-dialog').open")
    assert browser.ask(f"!!({row})"), "Escape deletes nothing"
    browser.press("Enter")
    browser.press("Tab", "Enter")
    browser.until(f"!({row})")
    assert browser.focused() not in ("", None) and browser.ask("document.activeElement !== document.body")


def test_every_control_has_a_name(browser):
    nameless = browser.ask("""[...document.querySelectorAll('button, input, textarea, [role=log], dialog, section')]
        .filter((one) => !(one.labels?.length || one.textContent.trim() || one.getAttribute('aria-label')
            || one.getAttribute('aria-labelledby'))).map((one) => one.outerHTML)""")
    assert nameless == []


def test_filter_hides_the_others(browser):
    browser.type("#filter", "nothing like it")
    assert browser.ask("document.querySelectorAll('#containers > li:not([hidden])').length") == 0
    browser.ask("(() => { const field = document.getElementById('filter'); field.value = '';"
                " field.dispatchEvent(new Event('input')); })()")
    assert browser.ask(f"!({ROW}).hidden")


def test_running_one_is_deleted_by_force_after_a_question(browser):
    press(browser, "Start")
    browser.until(f"{STATE} === 'running'")
    press(browser, "Delete")
    browser.until("document.getElementById('delete-dialog').open")
    assert "running" in browser.ask("document.getElementById('delete-text').textContent")
    browser.click("#delete-dialog .danger")
    browser.until(f"!({ROW})")


def test_sign_out_forgets_the_token(browser):
    browser.click("#sign-out")
    browser.until("document.getElementById('token-dialog').open")
    assert browser.ask("sessionStorage.length") == 0


def test_nothing_went_wrong_in_the_console(browser):
    assert [error for error in browser.errors() if "ERR_INTERNET_DISCONNECTED" not in error] == []
