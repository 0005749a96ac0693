// What is known of one start, from the events the hub sends: no page, no clock, no network.
// Guarantees: an event counted once however often it is replayed, and phases only ever move forward.

export const PHASES = ["resolve", "queue", "fetch", "build", "push", "start", "ready"];

/** How a phase stands -> icon and word. The word is what a person who sees no colour reads. */
export const STATES = {
  waiting: { icon: "fa-ellipsis", word: "Waiting" },
  running: { icon: "fa-spinner fa-pulse", word: "Running" },
  ok: { icon: "fa-check", word: "Done" },
  cached: { icon: "fa-bolt", word: "Cached" },
  skipped: { icon: "fa-minus", word: "Not needed" },
  failed: { icon: "fa-xmark", word: "Failed" },
  cancelled: { icon: "fa-ban", word: "Cancelled" },
  missed: { icon: "fa-minus", word: "Not reached" },
};

// Terminal colours and cursor movements of build tools; a log is text here.
// eslint-disable-next-line no-control-regex
const ANSI = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;

/** Return the lines of a log message as a terminal would leave them. */
export function plainLines(message) {
  return message
    .replace(ANSI, "")
    .replace(/\r\n/g, "\n")
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => line.slice(line.lastIndexOf("\r", line.length - 2) + 1).replace(CONTROL, ""));
}

export class Launch {
  constructor() {
    this.reset();
  }

  reset() {
    this.seen = 0;
    this.firstAt = null;
    this.percent = 0;
    this.current = "";
    this.stepText = "";
    this.skew = Infinity;
    this.phases = new Map(PHASES.map((name) => [name, { state: "waiting", from: null, to: null, usual: null }]));
  }

  /**
   * Take one event of the hub. *now* is this computer's time in seconds.
   * Returns null for a replayed event, else {restarted, lines, heading, announce}: lines for the log, whether they
   * are a heading in it, and what to say aloud.
   */
  apply(event, now) {
    const vh = event.vh;
    if (!vh || !PHASES.includes(vh.phase)) {
      return null;
    }
    // A hub that came back counts from one again: same number, another time.
    const restarted = vh.seq === 1 && this.firstAt !== null && vh.at !== this.firstAt;
    if (restarted) {
      this.reset();
    }
    if (vh.seq <= this.seen) {
      return null;
    }
    this.seen = vh.seq;
    this.firstAt = vh.seq === 1 ? vh.at : this.firstAt;
    this.skew = Math.min(this.skew, now - vh.at);
    this.percent = Math.max(this.percent, event.progress ?? 0);
    return { restarted, ...this.#record(vh, event.message ?? "") };
  }

  #record(vh, message) {
    const announce = this.#move(vh, message);
    if (vh.kind === "log") {
      return { lines: plainLines(message), heading: false, announce };
    }
    const numbered = vh.steps ? `[${vh.step}/${vh.steps}] ${message}` : message;
    if (vh.kind === "step") {
      this.stepText = vh.steps ? `Step ${vh.step} of ${vh.steps}: ${message}` : message;
    }
    return { lines: message ? plainLines(numbered) : [], heading: true, announce };
  }

  /** Move the phases to where *vh* is; returns what to say aloud, "" for nothing. */
  #move(vh, message) {
    const phase = this.phases.get(vh.phase);
    const begins = phase.state === "waiting";
    if (begins) {
      this.#settleBefore(vh);
      Object.assign(phase, { state: "running", from: vh.at });
      this.current = vh.phase;
      this.stepText = "";
    }
    // In the queue the estimate counts from now; of any other phase it is how long all of it usually takes.
    if (vh.estimate && vh.phase !== "queue") {
      phase.usual = (phase.usual ?? 0) + vh.estimate.median;
    }
    if (vh.outcome && vh.kind !== "log") {
      phase.to = vh.at;
      phase.state = vh.outcome in STATES ? vh.outcome : "ok";
      if (this.current === vh.phase) {
        this.stepText = "";
      }
      return phase.state === "failed" ? message : "";
    }
    if (vh.kind !== "phase") {
      return "";
    }
    // What is said later within a phase ("two builds ahead", "looking at the image") stands beside its name.
    if (!begins && this.current === vh.phase) {
      this.stepText = message;
    }
    return message;
  }

  /** A phase that begins ends the ones before it. What an image that exists already made unnecessary is cached, too. */
  #settleBefore(vh) {
    for (const name of PHASES.slice(0, PHASES.indexOf(vh.phase))) {
      const earlier = this.phases.get(name);
      if (earlier.state === "waiting") {
        earlier.state = vh.outcome === "cached" ? "cached" : "skipped";
      } else if (earlier.state === "running") {
        Object.assign(earlier, { state: "ok", to: vh.at });
      }
    }
  }

  /** The start is over: the running phase takes *state*, and what had not begun never will. */
  end(state, now) {
    for (const phase of this.phases.values()) {
      if (phase.state === "running") {
        Object.assign(phase, { state, to: now - (Number.isFinite(this.skew) ? this.skew : 0) });
      } else if (phase.state === "waiting") {
        phase.state = state === "ok" ? "skipped" : "missed";
      }
    }
    this.current = "";
  }

  /** Seconds a phase has taken, null before it began. */
  elapsed(name, now) {
    const phase = this.phases.get(name);
    if (phase.from === null) {
      return null;
    }
    return Math.max(0, (phase.to ?? now - this.skew) - phase.from);
  }
}

/** "3 s", "1 min 05 s", "1 h 02 min"; "" for null. */
export function formatSeconds(seconds) {
  if (seconds === null) {
    return "";
  }
  const whole = Math.floor(seconds);
  if (whole < 60) {
    return seconds < 10 ? `${seconds.toFixed(1)} s` : `${whole} s`;
  }
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  }
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** The message and hint of a "failed" event; the markup is parsed without being shown, only its text is taken. */
export function failureOf(event) {
  const plain = (event.message ?? "").replace(/^Spawn failed:\s*/, "");
  if (event.html_message) {
    const parsed = new DOMParser().parseFromString(event.html_message, "text/html");
    const message = parsed.querySelector(".vh-error-message");
    if (message) {
      return {
        message: message.textContent,
        hint: parsed.querySelector(".vh-error-hint")?.textContent ?? "",
        code: message.dataset.code ?? "",
      };
    }
  }
  return { message: plain || "The start ended without a reason.", hint: "", code: "" };
}
