"""Reverie in OBS: Tools > Scripts > + > this file.  Needs nothing but OBS and its Python.

It puts the restyled picture of a running session into a scene, changes its look by hotkeys (next, previous, random,
camera, panic) and shows in a text source what is going on.  Requests go through a thread: OBS never waits for one.
"""

import json
import queue
import random
import threading
import urllib.error
import urllib.parse
import urllib.request

import obspython as obs

SOURCE, STATUS = "Reverie", "Reverie status"
TEXTS = ("text_gdiplus_v2", "text_ft2_source_v2", "text_ft2_source")
PRESETS = (
    "pencil sketch", "watercolour painting", "oil painting", "comic book", "neon outlines", "cyberpunk city",
    "film noir", "thermal camera",
)  # fmt: skip
HOTKEYS = {
    "next": "Reverie: next look",
    "previous": "Reverie: previous look",
    "random": "Reverie: random look",
    "camera": "Reverie: camera on/off",
    "panic": "Reverie: panic (hide, show the camera)",
    "add_source": "Reverie: add the picture to this scene",
    "add_status": "Reverie: add a line of status to this scene",
}
TIMEOUT_S = 3
POLL_MS = 1000


class State:
    """What the script knows; one for the life of the script."""

    def __init__(self):
        self.url, self.session, self.key, self.presets, self.transition_s = "", "newest", "", [], 0.5
        self.look = -1  # index in presets
        self.passthrough = False
        self.shows_status = False
        self.line = ""  # for the text source
        self.hotkeys = {}
        self.wishes = queue.Queue()  # (method, path, body) for the worker; None ends it
        self.worker = None


state = State()


# The network, in its own thread


def request(method, path, body=None):
    """The answer's JSON.  Raises: OSError, ValueError."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if state.key:
        headers["X-API-KEY"] = state.key
    asked = urllib.request.Request(state.url + path, data, headers, method=method)
    with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:
        return json.load(answer)


def session_path(rest=""):
    return f"/v1/sessions/{urllib.parse.quote(state.session, safe='')}{rest}"


def work():
    """Do what is wished, in order; between wishes look how the session is."""
    while True:
        try:
            wish = state.wishes.get(timeout=POLL_MS / 1000)
        except queue.Empty:
            wish = ("GET", session_path(), None)
        if wish is None:
            return
        try:
            answer = request(*wish)
        except urllib.error.HTTPError as error:
            state.line = words_of(error)
        except (OSError, ValueError) as error:
            state.line = f"Reverie cannot be reached: {getattr(error, 'reason', error)}"
        else:
            if "state" in answer:
                state.line = f"{answer['prompt'] or 'camera'} ({answer['state'] or 'waiting'})"


def words_of(error):
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"Reverie answered {error.code}"


# Looks


def wear(prompt):
    state.wishes.put(("POST", session_path("/prompt"), {"prompt": prompt, "transition_s": state.transition_s}))


def choose(step):
    """Args: step: to the next or previous preset; 0 is any other."""
    if not state.presets:
        return
    count = len(state.presets)
    if step == 0:
        others = [n for n in range(count) if n != state.look] or [0]
        state.look = random.choice(others)
    else:
        state.look = (state.look + step) % count if state.look >= 0 else (0 if step > 0 else count - 1)
    state.passthrough = False
    show_source(True)
    wear(state.presets[state.look])


def toggle_camera():
    state.passthrough = not state.passthrough
    wear("" if state.passthrough else state.presets[state.look] if state.presets and state.look >= 0 else "")


def panic():
    """Whatever is on the screen, it goes now; the look is taken off as well."""
    show_source(False)
    state.passthrough = True
    wear("")


# Sources


def settings_of_source():
    """(kind, settings): a browser source where OBS has one, else its media source."""
    query = {"session": state.session, **({"api_key": state.key} if state.key else {})}
    if obs.obs_source_get_display_name("browser_source"):
        url = f"{state.url}/overlay?{urllib.parse.urlencode(query)}"
        return "browser_source", {"url": url, "width": 1280, "height": 720, "shutdown": False}
    url = f"{state.url}{session_path('/live.ts')}"
    if state.key:
        url += "?" + urllib.parse.urlencode({"api_key": state.key})
    return "ffmpeg_source", {
        "is_local_file": False, "input": url, "input_format": "mpegts", "reconnect_delay_sec": 1, "buffering_mb": 0,
        "restart_on_activate": False, "close_when_inactive": False, "clear_on_media_end": True, "hw_decode": False,
    }  # fmt: skip


def add_source(*_):
    """Put the picture into the current scene, or give the one that is there its new address."""
    kind, wanted = settings_of_source()
    place(SOURCE, kind, wanted)
    return True


def add_status(*_):
    kind = next((each for each in TEXTS if obs.obs_source_get_display_name(each)), None)
    if kind:
        state.shows_status = True
        place(STATUS, kind, {"text": state.line or "Reverie"})
    return True


def place(name, kind, wanted):
    data = obs.obs_data_create_from_json(json.dumps(wanted))
    source = obs.obs_get_source_by_name(name)
    if source is not None:
        obs.obs_source_update(source, data)
    else:
        source = obs.obs_source_create(kind, name, data, None)
        current = obs.obs_frontend_get_current_scene()
        obs.obs_scene_add(obs.obs_scene_from_source(current), source)
        obs.obs_source_release(current)
    obs.obs_source_release(source)
    obs.obs_data_release(data)


def show_source(visible):
    """In every scene that has it."""
    for scene_source in obs.obs_frontend_get_scenes() or []:
        item = obs.obs_scene_find_source(obs.obs_scene_from_source(scene_source), SOURCE)
        if item is not None:
            obs.obs_sceneitem_set_visible(item, visible)
        obs.obs_source_release(scene_source)


def show_status():
    """On OBS's own thread: the line that the worker left."""
    source = obs.obs_get_source_by_name(STATUS) if state.shows_status else None
    if source is not None:
        data = obs.obs_data_create_from_json(json.dumps({"text": state.line}))
        obs.obs_source_update(source, data)
        obs.obs_data_release(data)
        obs.obs_source_release(source)


ACTIONS = {
    "next": lambda: choose(1),
    "previous": lambda: choose(-1),
    "random": lambda: choose(0),
    "camera": toggle_camera,
    "panic": panic,
    "add_source": add_source,
    "add_status": add_status,
}


# What OBS calls


def script_description():
    return (
        "<b>Reverie</b>: the live restyled picture of a session as a source, with looks on hotkeys.<br>"
        "Start a session in the browser (its camera page), then press the buttons below; "
        "hotkeys are in File, Settings, Hotkeys."
    )


def script_properties():
    properties = obs.obs_properties_create()
    obs.obs_properties_add_text(properties, "url", "Server", obs.OBS_TEXT_DEFAULT)
    obs.obs_properties_add_text(properties, "session", "Session (newest, or an id)", obs.OBS_TEXT_DEFAULT)
    obs.obs_properties_add_text(properties, "api_key", "API key (if the server asks for one)", obs.OBS_TEXT_PASSWORD)
    obs.obs_properties_add_text(properties, "presets", "Looks, one a line", obs.OBS_TEXT_MULTILINE)
    obs.obs_properties_add_float_slider(properties, "transition_s", "Seconds from look to look", 0, 10, 0.5)
    obs.obs_properties_add_bool(properties, "show_status", "Write into the text source")
    obs.obs_properties_add_button(properties, "add_source", "Add the picture to this scene", add_source)
    obs.obs_properties_add_button(properties, "add_status", "Add a line of status to this scene", add_status)
    return properties


def script_defaults(settings):
    obs.obs_data_set_default_string(settings, "url", "http://127.0.0.1:8080")
    obs.obs_data_set_default_string(settings, "session", "newest")
    obs.obs_data_set_default_string(settings, "presets", "\n".join(PRESETS))
    obs.obs_data_set_default_double(settings, "transition_s", 0.5)
    obs.obs_data_set_default_bool(settings, "show_status", True)


def script_update(settings):
    state.url = obs.obs_data_get_string(settings, "url").strip().rstrip("/")
    state.session = obs.obs_data_get_string(settings, "session").strip() or "newest"
    state.key = obs.obs_data_get_string(settings, "api_key").strip()
    state.presets = [line.strip() for line in obs.obs_data_get_string(settings, "presets").splitlines() if line.strip()]
    state.transition_s = obs.obs_data_get_double(settings, "transition_s")
    state.shows_status = obs.obs_data_get_bool(settings, "show_status")
    if state.look >= len(state.presets):
        state.look = -1


def script_load(settings):
    for name, words in HOTKEYS.items():
        number = obs.obs_hotkey_register_frontend(f"reverie.{name}", words, on_press(name))
        saved = obs.obs_data_get_array(settings, f"hotkey.{name}")
        obs.obs_hotkey_load(number, saved)
        obs.obs_data_array_release(saved)
        state.hotkeys[name] = number
    state.worker = threading.Thread(target=work, name="reverie", daemon=True)
    state.worker.start()
    obs.timer_add(show_status, POLL_MS)


def on_press(name):
    return lambda down: ACTIONS[name]() if down else None


def script_save(settings):
    for name in HOTKEYS:
        saved = obs.obs_hotkey_save(state.hotkeys[name])
        obs.obs_data_set_array(settings, f"hotkey.{name}", saved)
        obs.obs_data_array_release(saved)


def script_unload():
    obs.timer_remove(show_status)
    state.wishes.put(None)
    if state.worker is not None:
        state.worker.join(TIMEOUT_S)
