// Makes the options form pleasant; without it the form works all the same.
// What was typed stays in this tab's sessionStorage until the server is up: the hub forgets it when a start fails.

const PREFIX = "versatilehub.form:";
const root = document.querySelector("[data-vh-form]");
const form = root.closest("form");
const fields = () => [...root.querySelectorAll("input[name], select[name]")];

/** One key a server, however its form's address is spelled: "spawn" alone is the default server of who is here. */
function draftKey() {
  const base = root.dataset.baseUrl;
  const path = decodeURIComponent(window.location.pathname.slice(`${base}spawn`.length));
  const [user = window.jhdata?.user ?? "", server = ""] = path.split("/").filter(Boolean);
  return `${PREFIX}${base}spawn/${user}/${server}`;
}

function isDefault(field) {
  if (field.type === "radio") {
    return field.checked === field.defaultChecked;
  }
  if (field.tagName === "SELECT") {
    const preset = [...field.options].find((option) => option.defaultSelected) ?? field.options[0];
    return field.value === preset?.value;
  }
  return field.value === field.defaultValue;
}

function save() {
  const typed = {};
  for (const field of fields()) {
    if (!isDefault(field) && (field.type !== "radio" || field.checked)) {
      typed[field.name] = field.value;
    }
  }
  sessionStorage.setItem(draftKey(), JSON.stringify(typed));
}

function restore() {
  let typed;
  try {
    typed = JSON.parse(sessionStorage.getItem(draftKey()) ?? "{}");
  } catch {
    typed = {};
  }
  for (const field of fields()) {
    if (typeof typed[field.name] === "string") {
      put(field, typed[field.name]);
    }
  }
  const changed = fields().some((field) => !isDefault(field));
  root.querySelector("[data-vh-restored]").hidden = !changed;
  const folded = root.querySelector("details");
  if (folded && [...folded.querySelectorAll("input")].some((field) => !isDefault(field))) {
    folded.open = true;
  }
}

function put(field, value) {
  if (field.type === "radio") {
    field.checked = field.value === value ? true : field.checked;
  } else if (field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value)) {
    field.value = value;
  }
}

function clear() {
  sessionStorage.removeItem(draftKey());
  form.reset();
  root.querySelector("[data-vh-restored]").hidden = true;
  showKind();
  fields()[0]?.focus();
}

/** Show the fields of the chosen way, and let only those be required and be sent. */
function showKind() {
  const chosen = root.querySelector("[data-vh-kind]:checked")?.value;
  if (!chosen) {
    return;
  }
  for (const panel of root.querySelectorAll("[data-vh-panel]")) {
    const shown = panel.dataset.vhPanel === chosen;
    panel.hidden = !shown;
    for (const field of panel.querySelectorAll("input, select")) {
      field.disabled = !shown;
      field.required = shown && field.type === "text" && field.name === chosen;
    }
  }
}

/** A field left empty is a field not sent. The button says that the click was seen. */
function submit() {
  save();
  for (const field of fields()) {
    if (field.type === "text" && !field.value.trim()) {
      field.disabled = true;
    }
  }
  setBusy(true);
}

function setBusy(busy) {
  const button = form.querySelector("[data-vh-submit]");
  if (button) {
    button.disabled = busy;
    button.textContent = busy ? "Starting…" : "Start";
  }
}

/** Back in history the page returns as it was left: with its button down. */
function awake() {
  setBusy(false);
  for (const field of fields()) {
    field.disabled = false;
  }
  showKind();
}

restore();
showKind();
root.addEventListener("input", save);
root.addEventListener("change", showKind);
root.querySelector("[data-vh-clear]").addEventListener("click", clear);
form.addEventListener("submit", submit);
window.addEventListener("pageshow", (event) => event.persisted && awake());
const summary = document.querySelector("[data-vh-error-summary]");
summary?.focus();
for (const link of summary?.querySelectorAll("a") ?? []) {
  link.addEventListener("click", () => {
    const folded = document.querySelector(link.hash)?.closest("details");
    if (folded) {
      folded.open = true;
    }
  });
}
