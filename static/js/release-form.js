// The form of a release: fields that its kind does not need are hidden, and the preview follows what is typed.

function showFor(form, kind) {
  for (const part of form.querySelectorAll("[data-for-kind]")) part.hidden = part.dataset.forKind !== kind;
}

// Another row of region, opening and closing.
function addWindow(form) {
  const rows = form.querySelectorAll("[data-window]");
  const row = rows[rows.length - 1].cloneNode(true);
  for (const control of row.querySelectorAll("select, input")) control.value = "";
  rows[rows.length - 1].after(row);
  row.querySelector("select").focus();
}

function startForm(form) {
  const kind = form.elements.kind;
  const title = form.elements.title;
  const newTitle = form.querySelector("[data-new-title]");
  const refresh = () => {
    showFor(form, kind ? kind.value : form.dataset.kind);
    if (newTitle) newTitle.hidden = title.value !== "";
  };
  form.addEventListener("change", refresh);
  form.querySelector("[data-add-window]")?.addEventListener("click", () => addWindow(form));
  refresh();
  const preview = document.querySelector('[data-preview="headline"]');
  if (preview) form.elements.headline.addEventListener("input", (event) => (preview.textContent = event.target.value));
}

// Whoever typed before this script ran is heard too, once htmx listens.
function hearEarlyTyping() {
  const field = document.activeElement;
  if (!field?.closest("[data-release-form]") || field.value === field.defaultValue) return;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

export function startReleaseForms() {
  for (const form of document.querySelectorAll("[data-release-form]")) startForm(form);
  document.addEventListener("DOMContentLoaded", hearEarlyTyping);
}
