// Brings the events of one start from the hub, and finds out what happened when the stream breaks: the hub may be
// restarting, the login may have ended, the server may be ready already.

/** Between two questions to a hub that does not answer (ms). */
const ASK_AGAIN = 2000;
/** After how long without news to ask anyway (ms): the proxy keeps the stream of a hub that died open. */
const SILENCE = 5000;
const BACK_TO_STREAM = 1000;

/** How long a cancelled server may take to stop before the page says so anyway (ms). */
const STOPPING = 15000;
const STOPPING_STEP = 300;

function askHub(config) {
  return fetch(config.serverUrl, { headers: { "X-XSRFToken": window.jhdata.xsrf_token }, cache: "no-store" });
}

/** Resolves when the hub no longer takes the server for running: before that it would lead a new start astray. */
export async function untilStopped(config) {
  for (const deadline = Date.now() + STOPPING; Date.now() < deadline; ) {
    const answer = await askHub(config).catch(() => null);
    if (answer && (!answer.ok || (await answer.json()).stopped)) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, STOPPING_STEP));
  }
}

export class LaunchFeed {
  #config;
  #on;
  #source = null;
  #timer = 0;
  #last = 0;
  #closed = false;
  #lastChance = false;
  #away = false;

  /** *on*: {event(e), ready(url), failed(e), ended(), gone(), signedOut(), lost(), found()} */
  constructor(config, on) {
    this.#config = config;
    this.#on = on;
  }

  open() {
    this.#source?.close();
    this.#away = false;
    this.#last = Date.now();
    this.#source = new EventSource(this.#config.progressUrl);
    this.#source.onopen = () => this.#on.found();
    this.#source.onmessage = (message) => this.#take(JSON.parse(message.data));
    this.#source.onerror = () => this.#broken();
    this.#later(SILENCE);
  }

  close() {
    this.#closed = true;
    this.#source?.close();
    clearTimeout(this.#timer);
  }

  #take(event) {
    this.#last = Date.now();
    if (event.ready) {
      this.close();
      this.#on.ready(event.url);
    } else if (event.failed) {
      this.close();
      this.#on.failed(event);
    } else {
      this.#on.event(event);
    }
  }

  // The browser's own reconnecting gives up at the first 503 of the proxy, so asking takes over at once.
  #broken() {
    this.#source.close();
    this.#later(0);
  }

  #later(delay) {
    clearTimeout(this.#timer);
    if (!this.#closed) {
      this.#timer = setTimeout(() => this.#look(), delay);
    }
  }

  async #look() {
    if (this.#source.readyState === EventSource.OPEN && Date.now() - this.#last < SILENCE) {
      this.#later(SILENCE);
      return;
    }
    let answer;
    try {
      answer = await askHub(this.#config);
    } catch {
      answer = null;
    }
    if (this.#closed) {
      return;
    }
    if (answer?.ok) {
      this.#judge(await answer.json());
    } else if (answer?.status === 404) {
      this.close();
      this.#on.gone();
    } else if (answer?.status === 401 || answer?.status === 403) {
      this.close();
      this.#on.signedOut();
    } else {
      this.#away = true;
      this.#on.lost();
      this.#later(ASK_AGAIN);
    }
  }

  #judge(server) {
    if (server.ready) {
      this.close();
      this.#on.ready(server.url);
    } else if (server.pending === "spawn") {
      this.#resume();
    } else if (server.pending) {
      this.#later(ASK_AGAIN);
    } else if (!this.#lastChance) {
      // Over, and not well: the stream still tells the reason once, when this hub process knows it.
      this.#lastChance = true;
      this.open();
    } else {
      this.close();
      this.#on.ended();
    }
  }

  #resume() {
    this.#on.found();
    if (this.#source.readyState === EventSource.OPEN && !this.#away) {
      this.#last = Date.now();
      this.#later(SILENCE);
    } else {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => !this.#closed && this.open(), BACK_TO_STREAM);
    }
  }
}
