// The log: lines in blocks of 200 that the browser skips while out of sight, appended once a frame.
// All text enters as text. 20 000 lines stay about a hundred elements.

const BLOCK = 200;
/** Lines drawn in one frame, so that a flood never holds up a click: 60 frames a second are 24 000 lines. */
const PER_FRAME = 400;
/** How near to the end counts as being at the end, in pixels: rounding, and a phone's elastic scrolling. */
const NEAR = 24;

export class LogPane {
  #pane;
  #follow;
  #waiting = [];
  #frame = 0;
  #block = null;
  #room = 0;

  constructor(pane, follow) {
    this.#pane = pane;
    this.#follow = follow;
    this.lines = [];
    follow.addEventListener("change", () => this.#toEnd());
    pane.addEventListener("scroll", () => this.#noticeScroll(), { passive: true });
    // A phone that is turned breaks the lines anew; the end is elsewhere then.
    new ResizeObserver(() => this.#toEnd()).observe(pane);
  }

  /** Append *lines*; a heading stands out. */
  append(lines, heading = false) {
    for (const line of lines) {
      this.lines.push(line);
      this.#waiting.push({ line, heading });
    }
    if (!this.#frame) {
      this.#frame = requestAnimationFrame(() => this.#flush());
    }
  }

  clear() {
    this.lines = [];
    this.#waiting = [];
    this.#block = null;
    this.#room = 0;
    this.#pane.replaceChildren();
  }

  text() {
    return this.lines.join("\n") + "\n";
  }

  tail(count) {
    return this.lines.slice(-count);
  }

  #flush() {
    this.#frame = 0;
    const now = this.#waiting.splice(0, PER_FRAME);
    let run = [];
    for (const { line, heading } of now) {
      if (!this.#room) {
        this.#write(run);
        run = [];
        this.#block?.classList.add("vh-log-full");
        this.#block = document.createElement("span");
        this.#block.className = "vh-log-block";
        this.#pane.append(this.#block);
        this.#room = BLOCK;
      }
      this.#room -= 1;
      if (heading) {
        this.#write(run);
        run = [];
        const element = document.createElement("b");
        element.textContent = `${line}\n`;
        this.#block.append(element);
      } else {
        run.push(line);
      }
    }
    this.#write(run);
    this.#toEnd();
    if (this.#waiting.length) {
      this.#frame = requestAnimationFrame(() => this.#flush());
    }
  }

  #write(run) {
    if (run.length) {
      this.#block.append(`${run.join("\n")}\n`);
    }
  }

  #toEnd() {
    if (this.#follow.checked) {
      this.#pane.scrollTop = this.#pane.scrollHeight;
      this.lastTop = this.#pane.scrollTop;
    }
  }

  // Scrolling up is the wish to read; coming back to the end is the wish to follow.
  #noticeScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.#pane;
    const atEnd = scrollHeight - scrollTop - clientHeight <= NEAR;
    if (!this.#waiting.length && (atEnd || scrollTop < (this.lastTop ?? 0))) {
      this.#follow.checked = atEnd;
    }
    this.lastTop = scrollTop;
  }
}
