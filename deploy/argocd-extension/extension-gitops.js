// "Roll back (Git)" and the hold on Argo CD's own page of an Application.
//
// One file without a build: Argo CD's server loads what lies in /tmp/extensions/*/extension*.js and
// gives React. Everything is asked through its proxy extensions gitops-rollback and gitops-hold, so
// whoever may not invoke one of them gets no further. docs/how-to/argocd-extension.md
((window) => {
  "use strict";
  const React = window.React;
  const h = React.createElement;
  const { useCallback, useEffect, useRef, useState } = React;

  const ROLLBACK = "gitops-rollback";
  const HOLD = "gitops-hold";
  const SECONDS = 90; // a call is over after a minute

  /** Where Argo CD's pages are: it may be served below a path. */
  const root = () => {
    const base = window.document.querySelector("base");
    const path = (base && base.getAttribute("href")) || "/";
    return path.endsWith("/") ? path : `${path}/`;
  };

  const newKey = () => {
    const bytes = window.crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
  };

  /** Ask our server through Argo CD's; returns [status, document]. */
  const ask = async (extension, application, path, body, key) => {
    const { name, namespace } = application.metadata;
    const headers = {
      Accept: "application/json",
      "Argocd-Application-Name": `${namespace}:${name}`,
      "Argocd-Project-Name": application.spec.project,
    };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key !== undefined) {
      headers["Idempotency-Key"] = key;
      headers.Prefer = "wait=15";
    }
    const answer = await window.fetch(`${root()}extensions/${extension}/v1/${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      redirect: "error",
    });
    const text = await answer.text();
    let told = null;
    try {
      told = JSON.parse(text);
    } catch (_) {
      // Argo CD's own refusals are plain text.
    }
    // What is fine and no document is not from us.
    const status = answer.status === 200 && !told ? 502 : answer.status;
    return [status, told, text.trim().slice(0, 200)];
  };

  const reasonOf = ([status, told, text]) => {
    if (told && told.error) {
      const { message, hint } = told.error;
      return hint ? `${message} (${hint})` : message;
    }
    if (status === 401 || status === 403) return "Argo CD's RBAC does not let you do this";
    return text || `HTTP ${status}`;
  };

  /** Do one act and follow it to its end: an answer that got lost is asked for, never sent twice. */
  const act = async (extension, application, path, body, key) => {
    const end = Date.now() + SECONDS * 1000;
    let answer = null;
    try {
      answer = await ask(extension, application, path, body, key);
    } catch (_) {
      answer = [202, null, ""];
    }
    while (answer[0] === 202 && Date.now() < end) {
      await new Promise((done) => window.setTimeout(done, 1000));
      try {
        answer = await ask(extension, application, `calls/${key}`);
      } catch (_) {
        // The network is away: the call goes on without us.
      }
    }
    return answer;
  };

  const imageText = (one) =>
    [one.name, one.tag, one.digest && one.digest.slice(0, 19)].filter(Boolean).join(" ") || "(none)";

  const Changes = ({ changes }) =>
    h(
      "table",
      { style: { width: "100%", margin: "1em 0" } },
      h("thead", null, h("tr", null, ["Image", "Now", "Then"].map((t) => h("th", { key: t, style: { textAlign: "left" } }, t)))),
      h(
        "tbody",
        null,
        changes.map((one, at) =>
          h(
            "tr",
            { key: at },
            h("td", null, one.image),
            h("td", null, imageText(one.before)),
            h("td", null, h("strong", null, imageText(one.after))),
          ),
        ),
      ),
    );

  const Lines = ({ title, lines }) =>
    lines && lines.length
      ? h("div", { style: { margin: "0.5em 0" } }, h("strong", null, title), h("ul", null, lines.map((one, at) => h("li", { key: at }, one))))
      : null;

  const Button = ({ label, right, busy, onClick, main }) => {
    const allowed = right && right.allowed;
    return h(
      "button",
      {
        type: "button",
        className: `argo-button argo-button--base${main ? "" : "-o"}`,
        style: { marginRight: "0.5em" },
        disabled: !allowed || busy,
        title: allowed ? "" : (right && right.why) || "",
        onClick,
      },
      label,
    );
  };

  /** What a person saw of a rollback, and goes along with the press of the button. */
  const Preview = ({ seen, reason, setReason, busy, confirm, cancel }) =>
    h(
      "div",
      { role: "group", "aria-label": "What a rollback would change" },
      seen.changes.length
        ? h(Changes, { changes: seen.changes })
        : h("p", null, "Nothing would change."),
      h(Lines, { title: "Passed over", lines: (seen.passed_over || []).map((one) => `${one.subject}: ${one.reason}`) }),
      h(Lines, { title: "Note", lines: [...(seen.warnings || []), ...(seen.notes || [])] }),
      h("p", null, "Everything else in the overlay stays. The environment is held afterwards."),
      h(
        "label",
        null,
        "Reason ",
        h("input", {
          className: "argo-field",
          value: reason,
          maxLength: 200,
          onChange: (event) => setReason(event.target.value),
        }),
      ),
      h(
        "div",
        { style: { marginTop: "1em" } },
        h(Button, { main: true, label: busy ? "Rolling back…" : "Roll back", right: { allowed: seen.changes.length > 0 }, busy, onClick: confirm }),
        h(Button, { label: "Cancel", right: { allowed: true }, busy, onClick: cancel }),
      ),
    );

  const useGitops = (application) => {
    const [state, setState] = useState({ loading: true });
    const alive = useRef(true);
    const { name, namespace } = application.metadata;
    const load = useCallback(async () => {
      try {
        const [roll, hold] = await Promise.all([
          ask(ROLLBACK, application, "application"),
          ask(HOLD, application, "application"),
        ]);
        const seen = roll[0] === 200 ? roll[1] : hold[0] === 200 ? hold[1] : null;
        const right = (answer, verb) =>
          answer[0] === 200 ? answer[1].may[verb] : { allowed: false, why: reasonOf(answer) };
        const may = { rollback: right(roll, "rollback"), hold: right(hold, "hold"), resume: right(hold, "resume") };
        if (alive.current) setState(seen ? { seen, may } : { error: reasonOf(roll) });
      } catch (error) {
        if (alive.current) setState({ error: String(error) });
      }
    }, [namespace, name]);
    useEffect(() => {
      alive.current = true;
      load();
      return () => {
        alive.current = false;
      };
    }, [load]);
    return [state, load];
  };

  const Panel = ({ application }) => {
    const [state, load] = useGitops(application);
    const [preview, setPreview] = useState(null);
    const [reason, setReason] = useState("");
    const [busy, setBusy] = useState(false);
    const [told, setTold] = useState(null);
    const key = useRef(null);

    if (state.loading) return h("p", { style: { padding: "1em" } }, "Asking gitops…");
    if (state.error) return h("p", { style: { padding: "1em" }, role: "alert" }, state.error);
    const { seen, may } = state;
    const where = `environments/${seen.word.split("/").map(encodeURIComponent).join("/")}`;

    const once = async (work) => {
      if (busy) return;
      setBusy(true);
      setTold(null);
      try {
        await work();
      } catch (error) {
        setTold({ bad: true, text: String(error) });
      } finally {
        setBusy(false);
      }
    };
    const finish = async (answer, done) => {
      const fine = answer[0] === 200;
      const going = answer[0] === 202;
      const commit = fine && answer[1].commit ? ` Commit ${answer[1].commit.slice(0, 7)}.` : "";
      const notes = fine ? (answer[1].notes || []).join("; ") : "";
      const text = fine ? `${done}${commit} ${notes}`.trim() : going ? "It goes on; look at the page of gitops." : reasonOf(answer);
      setTold({ bad: !fine && !going, text });
      setPreview(null);
      setReason("");
      await load();
      // The server looks at Git anew in a moment.
      for (const later of [1000, 3000, 8000, 16000]) window.setTimeout(load, later);
    };
    const look = () =>
      once(async () => {
        const answer = await ask(ROLLBACK, application, `${where}/rollback`, { dryRun: true, bad: seen.release }, newKey());
        if (answer[0] === 200) {
          key.current = newKey(); // one for this press, however often it is sent
          setPreview({ ...answer[1], bad: seen.release });
        } else {
          setTold({ bad: true, text: reasonOf(answer) });
          await load();
        }
      });
    const confirm = () =>
      once(async () => {
        // What was seen goes along: this release is taken back, that one restored, or nothing is.
        const body = { bad: preview.bad };
        if (preview.hold && preview.hold.release) body.to = preview.hold.release;
        if (reason.trim()) body.reason = reason.trim();
        await finish(await act(ROLLBACK, application, `${where}/rollback`, body, key.current), "Rolled back.");
      });
    const setHold = () =>
      once(async () => {
        const verb = seen.hold ? "resume" : "hold";
        const body = seen.hold ? {} : { reason: reason.trim() || "set on the page of Argo CD" };
        await finish(await act(HOLD, application, `${where}/${verb}`, body, newKey()), seen.hold ? "Resumed." : "Held.");
      });

    return h(
      "div",
      { style: { padding: "1em" } },
      h("h4", null, `${seen.word} in Git`),
      h("p", null, seen.release ? `Release ${seen.release.slice(0, 7)} by ${seen.by || "somebody"}, ${seen.since || ""}` : "No release yet."),
      seen.hold ? h("p", null, `Held by ${seen.hold.by}: ${seen.hold.reason}`) : null,
      told ? h("p", { role: told.bad ? "alert" : "status", style: { color: told.bad ? "#b9362e" : "inherit" } }, told.text) : null,
      preview
        ? h(Preview, { seen: preview, reason, setReason, busy, confirm, cancel: () => setPreview(null) })
        : h(
            "div",
            null,
            h(Button, { main: true, label: busy ? "…" : "Roll back (Git)", right: may.rollback, busy, onClick: look }),
            h(Button, { label: seen.hold ? "Resume" : "Hold", right: seen.hold ? may.resume : may.hold, busy, onClick: setHold }),
            may.rollback.allowed ? null : h("p", null, may.rollback.why),
          ),
      /^https?:\/\//.test(seen.url)
        ? h("p", { style: { marginTop: "1em" } }, h("a", { href: seen.url, target: "_blank", rel: "noopener noreferrer" }, "History, undo and the rest"))
        : null,
    );
  };

  const Item = () => h("span", { className: "show-for-large" }, "Roll back (Git)");

  window.extensionsAPI.registerTopBarActionMenuExt(
    Item,
    "Roll back (Git)",
    "gitops_rollback",
    Panel,
    () => true,
    "fa fa-undo",
    true,
  );
})(window);
