// The page of a start in progress: puts what launch-feed.js brings and launch.js knows before a person.

import { copyText, saveText } from "./clipboard.js";
import { LaunchFeed, untilStopped } from "./launch-feed.js";
import { Launch, STATES, failureOf, formatSeconds } from "./launch.js";
import { LogPane } from "./log-pane.js";

const TAIL = 20;
const config = JSON.parse(document.getElementById("vh-launch-config").textContent);
const page = document.querySelector("[data-vh-launch]");
const find = (name) => page.querySelector(`[data-vh-${name}]`);
const now = () => Date.now() / 1000;

const launch = new Launch();
const log = new LogPane(find("log"), find("follow"));
let over = false;
let cancelling = false;
let cancelled = false;
/** What came while a cancel was under way; it counts if the cancel fails. */
let withheld = null;
let drawn = 0;

const feed = new LaunchFeed(config, {
  event: take,
  ready: (url) => unlessCancelling(() => leave(url)),
  failed: (event) => {
    if (event.message === "Spawn cancelled") {
      showCancelled();
    } else if (launch.seen) {
      unlessCancelling(() => showFailure(failureOf(event)));
    } else {
      // It failed before this page saw anything of it: the hub's page of a failed start knows more.
      window.location.reload();
    }
  },
  ended: () =>
    showFailure({
      message: "The start was interrupted: the hub was restarted while it ran.",
      hint: "Nothing of yours is lost. Try again; what was built already is not built twice.",
    }),
  gone: () => showFailure({ message: "This server no longer exists.", hint: "It was deleted while it started." }),
  signedOut: () => window.location.reload(),
  lost: () => !over && say("The hub does not answer. Reconnecting…"),
  found: () => find("status").textContent.startsWith("The hub does not") && say("Connected again."),
});

function unlessCancelling(show) {
  if (cancelling) {
    withheld = show;
  } else {
    show();
  }
}

function take(event) {
  const change = launch.apply(event, now());
  if (change === null) {
    return;
  }
  if (change.restarted) {
    log.clear();
  }
  log.append(change.lines, change.heading);
  if (change.announce) {
    say(change.announce);
  }
  drawn ||= requestAnimationFrame(draw);
}

function say(text) {
  const status = find("status");
  if (status.textContent !== text) {
    status.textContent = text;
  }
}

function draw() {
  drawn = 0;
  for (const item of find("phases").children) {
    drawPhase(item);
  }
  const bar = find("bar");
  bar.setAttribute("aria-valuenow", launch.percent);
  bar.firstElementChild.style.width = `${launch.percent}%`;
  find("percent").textContent = `${launch.percent} %`;
  if (!over) {
    document.title = `⏳ ${launch.percent} % · ${config.title}`;
  }
}

function drawPhase(item) {
  const name = item.dataset.vhPhase;
  const { state } = launch.phases.get(name);
  const running = state === "running";
  // A hub on one machine stores images nowhere else; a row that never happens explains nothing.
  item.hidden = name === "push" && ["waiting", "skipped", "missed"].includes(state);
  if (item.dataset.state !== state) {
    item.dataset.state = state;
    item.querySelector("i").className = `fa ${STATES[state].icon}`;
    item.toggleAttribute("aria-current", false);
    if (running) {
      item.setAttribute("aria-current", "step");
    }
  }
  const word = running && launch.stepText ? launch.stepText : STATES[state].word;
  const wordElement = item.querySelector(".vh-phase-word");
  if (wordElement.textContent !== word) {
    wordElement.textContent = word;
  }
  const { usual } = launch.phases.get(name);
  const elapsed = formatSeconds(launch.elapsed(name, now()));
  item.querySelector(".vh-phase-time").textContent =
    running && usual ? `${elapsed} of about ${formatSeconds(usual)}` : elapsed;
}

function finish(state, icon, title) {
  over = true;
  feed.close();
  clearInterval(ticking);
  launch.end(state, now());
  draw();
  document.title = title;
  setIcon(icon);
  for (const element of page.querySelectorAll("[data-vh-running]")) {
    element.hidden = true;
  }
}

function leave(url) {
  finish("ok", "ready", `✅ ${config.title}`);
  say("Ready. Opening the server…");
  sessionStorage.removeItem(`versatilehub.form:${config.draftKey}`);
  const target = new URL(url, window.location.href);
  // A link that led here says where to go; the hub checks it, so let the hub redirect.
  if (new URLSearchParams(window.location.search).has("next") || !/^https?:$/.test(target.protocol)) {
    window.location.reload();
  } else {
    window.location.assign(target);
  }
}

function showFailure({ message, hint = "", code = "" }) {
  finish("failed", "failed", `❌ ${config.title}`);
  find("heading").textContent = `Could not start ${config.title}`;
  find("failed-message").textContent = message;
  find("failed-message").dataset.code = code;
  find("failed-hint").textContent = hint;
  // The log ends with the message, which stands above already.
  const lines = log.tail(2 * TAIL).filter((line) => line !== message).slice(-TAIL);
  find("failed-lines").hidden = lines.length === 0;
  const pane = find("failed-lines").querySelector("pre");
  pane.textContent = lines.join("\n");
  showOutcome();
  pane.scrollTop = pane.scrollHeight;
}

async function showCancelled() {
  if (cancelled) {
    return;
  }
  cancelled = true;
  say("Cancelling…");
  await untilStopped(config);
  finish("cancelled", "failed", `Cancelled · ${config.title}`);
  find("heading").textContent = `Start of ${config.title} cancelled`;
  find("failed").classList.replace("alert-danger", "alert-secondary");
  find("failed-icon").className = "fa fa-ban";
  find("failed-title").textContent = "Cancelled";
  find("failed-message").textContent = "The start was cancelled. Files in its home directory are untouched.";
  find("failed-hint").remove();
  find("retry").textContent = "Back to the options";
  showOutcome();
}

function showOutcome() {
  find("status").hidden = true;
  find("progress").hidden = true;
  find("log-section").hidden = log.lines.length === 0;
  const box = find("failed");
  box.hidden = false;
  box.focus();
}

async function cancel(event) {
  const button = event.currentTarget;
  cancelling = true;
  button.disabled = true;
  say("Cancelling…");
  let answer = null;
  try {
    answer = await fetch(config.serverUrl, {
      method: "DELETE",
      headers: { "X-XSRFToken": window.jhdata.xsrf_token },
    });
  } catch {
    // no answer: said below, as any other refusal
  }
  if (answer?.ok) {
    showCancelled();
  } else if (withheld) {
    withheld();
  } else if (!over) {
    cancelling = false;
    button.disabled = false;
    say(`The start could not be cancelled (${answer ? answer.status : "no answer"}). It goes on.`);
  }
}

function setIcon(name) {
  const link = document.querySelector("link[rel~=icon]") ?? document.head.appendChild(document.createElement("link"));
  Object.assign(link, { rel: "icon", type: "image/svg+xml", href: `${config.iconUrl}${name}.svg` });
}

find("cancel").hidden = false;
find("cancel").addEventListener("click", cancel);
find("copy").addEventListener("click", async () =>
  say((await copyText(log.text())) ? "Log copied." : "The browser did not allow copying; use Download."),
);
find("download").addEventListener("click", () => saveText(log.text(), "start.log"));
const ticking = setInterval(draw, 1000);
setIcon("busy");
feed.open();
