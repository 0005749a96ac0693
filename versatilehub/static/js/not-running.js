// Shows the end of the log, keeps the fragment of the address on the way to the form, and goes there when the hub is set to do so.

const { spawnUrl, seconds } = JSON.parse(document.getElementById("vh-restart-config").textContent);
const start = document.getElementById("start");
if (start && window.location.hash) {
  start.href += window.location.hash;
}
if (seconds) {
  setTimeout(() => window.location.assign(spawnUrl), 1000 * seconds);
}
for (const pane of document.querySelectorAll(".vh-lines")) {
  pane.scrollTop = pane.scrollHeight;
}
