// Asks for this very page again every two seconds and puts what has changed in its place: the server renders all of it.
"use strict";
const EVERY = 2000;
const link = document.getElementById("link");
let shown = new Date();

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) replace(part, fresh.getElementById(part.id));
    shown = new Date();
    tell("");
  } catch {
    tell(`The watch does not answer. This is how it was at ${shown.toLocaleTimeString()}.`);
  }
}

function replace(part, fresh) {
  if (!fresh || fresh.outerHTML === part.outerHTML) return;
  const at = [...part.querySelectorAll("a, [tabindex]")].indexOf(document.activeElement);
  const scrolled = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  part.className = fresh.className;
  part.replaceChildren(...fresh.childNodes);
  part.querySelectorAll(".scroll").forEach((one, number) => { one.scrollLeft = scrolled[number] || 0; });
  if (at >= 0) part.querySelectorAll("a, [tabindex]")[at]?.focus({ preventScroll: true });
}

function tell(text) {
  if (link.textContent !== text) link.textContent = text;
}

async function go() {
  await look();
  setTimeout(go, EVERY);
}

document.addEventListener("visibilitychange", look);
setTimeout(go, EVERY);
