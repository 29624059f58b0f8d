// Push to talk: while the button is held the microphone is recorded, and the server says what was said.

import { headers } from "./key.js";

const LONGEST_MS = 30_000;

/** Args: heard: told the words, "" if there were none; complain: told what is wrong, in a sentence. */
export async function pushToTalk(button, heard, complain) {
  const able = await fetch(new URL("v1/speech", location.href), { headers: headers() }).then((answer) => answer.json()).catch(() => ({}));
  button.hidden = !able.available;
  let recorder = null;
  let held = false;
  let limit = 0;

  async function begin() {
    if (held) return;
    held = true;
    button.setAttribute("aria-pressed", "true");
    try {
      const media = await navigator.mediaDevices.getUserMedia({ audio: true });
      const parts = [];
      recorder = new MediaRecorder(media);
      recorder.ondataavailable = ({ data }) => parts.push(data);
      recorder.onstop = () => {
        media.getTracks().forEach((track) => track.stop());
        ask(new Blob(parts, { type: recorder.mimeType }));
      };
      recorder.start();
      limit = setTimeout(end, LONGEST_MS);
      if (!held) end();
    } catch (error) {
      end();
      complain(`The microphone did not start: ${error.message}`);
    }
  }

  function end() {
    held = false;
    clearTimeout(limit);
    button.setAttribute("aria-pressed", "false");
    if (recorder?.state === "recording") recorder.stop();
  }

  async function ask(sound) {
    complain("Listening to what you said");
    try {
      const answer = await fetch(new URL("v1/speech", location.href), { method: "POST", body: sound, headers: headers() });
      const told = await answer.json();
      answer.ok ? heard(told.text) : complain(told.error);
    } catch (error) {
      complain(`The server cannot be reached: ${error.message}`);
    }
  }

  button.onpointerdown = begin;
  button.onpointerup = button.onpointercancel = button.onpointerleave = end;
  button.onkeydown = ({ key }) => { if (key === " ") begin(); };  // a false answer would keep Tab from leaving the button
  button.onkeyup = ({ key }) => { if (key === " ") end(); };
}
