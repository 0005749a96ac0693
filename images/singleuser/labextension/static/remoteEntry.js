// Says in JupyterLab when the hub will stop this server, some minutes before. Written by hand as what JupyterLab loads
// (a container of webpack's module federation), so that nothing has to be built.

(() => {
  const EVERY = 60; // seconds between two looks
  const COMMAND = "versatilehub:keep-running";

  function sentence(end, now) {
    const at = new Date(end.stops_at);
    const minutes = Math.max(1, Math.round((at - now) / 60000));
    const clock = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const why =
      end.why === "age" ? "it has run as long as servers may here" : "nobody has used it for a while";
    return `This server stops at ${clock}, in ${minutes} min: ${why}. Your files stay; save what is open.`;
  }

  function cookie(name) {
    const found = document.cookie.match(`\\b${name}=([^;]*)`);
    return found ? found[1] : "";
  }

  function activate(app) {
    const base = app.serviceManager.serverSettings.baseUrl;
    let page = "";
    let shown = null; // {id, at} of the notice on the screen

    app.commands.addCommand(COMMAND, {
      label: "Keep this server running",
      execute: () => {
        window.open(page, "_blank", "noopener");
      },
    });

    async function show(end) {
      const text = { message: sentence(end, Date.now()), type: "warning" };
      const actions = end.extendable > 0 ? [{ label: "Keep it running", commandId: COMMAND }] : [];
      if (shown !== null) {
        await app.commands.execute("apputils:update-notification", { id: shown.id, ...text, autoClose: false });
      } else {
        const options = { autoClose: false, actions };
        shown = { id: await app.commands.execute("apputils:notify", { ...text, options }) };
      }
    }

    async function hide() {
      if (shown !== null) {
        await app.commands.execute("apputils:dismiss-notification", { id: shown.id });
        shown = null;
      }
    }

    async function look() {
      let wait = EVERY;
      try {
        const headers = { "X-XSRFToken": cookie("_xsrf") }; // as JupyterLab's own requests have it
        const answer = await fetch(`${base}versatilehub/countdown`, { credentials: "same-origin", headers });
        const end = answer.ok ? await answer.json() : {};
        if (end.stops_at) {
          page = end.page;
          // the hub's own figure of what is left: this machine's clock may be wrong
          end.stops_at = Date.now() + end.seconds_left * 1000;
          if (end.seconds_left <= end.notice) {
            await show(end);
          } else {
            await hide();
            wait = Math.min(EVERY, end.seconds_left - end.notice + 1);
          }
        } else {
          await hide();
        }
      } catch {
        // away for the moment; the next look says more
      }
      window.setTimeout(look, wait * 1000);
    }

    if (app.commands.hasCommand("apputils:notify")) {
      look();
    }
  }

  const plugin = {
    id: "versatilehub-notice:plugin",
    description: "Says when the hub will stop this server.",
    autoStart: true,
    activate: (app) => {
      app.restored.then(() => activate(app));
    },
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["versatilehub-notice"] = {
    init: () => undefined,
    get: () => Promise.resolve(() => ({ __esModule: true, default: plugin })),
  };
})();
