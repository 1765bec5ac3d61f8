// Swagger UI in the frame of this site. A request without a file sends a sample, and every operation shows how programs call it.

import { components, wrapComponents } from "./docs-parts.js";
import { repair } from "./docs-repairs.js";

const place = document.getElementById("swagger-ui");

async function fetchSample(name) {
  const response = await fetch(place.dataset.samples + name);
  if (!response.ok) throw new Error(`The sample ${name} is missing.`);
  const blob = await response.blob();
  return new File([blob], name, { type: blob.type });
}

function hasChosen(system, path, method) {
  const value = system.oas3Selectors.requestBodyValue(path, method);
  const chosen = value?.getIn ? value.getIn(["file", "value"]) : value;
  return (chosen?.toArray?.() ?? [chosen]).some((one) => one instanceof File);
}

/** Add the samples of an operation to a request for which no file was chosen. */
async function addSamples(system, request) {
  const path = new URL(request.url, location).pathname, method = request.method.toLowerCase();
  const names = system.specSelectors.specJson().getIn(["paths", path, method, "x-sample-files"])?.toJS() ?? [];
  if (!names.length || hasChosen(system, path, method)) return;
  const files = await Promise.all(names.map(fetchSample));
  const kind = request.headers["Content-Type"] ?? "";
  if (kind.startsWith("multipart/")) {
    const form = request.body instanceof FormData ? request.body : new FormData();
    form.delete("file");
    for (const file of files) form.append("file", file);
    request.body = form;
  } else {
    request.body = files[0];
    if (kind.endsWith("/*")) request.headers["Content-Type"] = files[0].type;
  }
}

async function prepare(request) {
  if (!request.loadSpec && request.method?.toUpperCase() === "POST") await addSamples(ui.getSystem(), request);
  return request;
}

// Swagger UI refuses a form without its required fields and an empty body; the file is added when the request is sent.
const wrapSelectors = {
  validateShallowRequired: (original) => (...args) => original(...args).filter((name) => name !== "file"),
  validateBeforeExecute: () => () => true,
};

const dark = matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followScheme);
followScheme();

const ui = window.SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  layout: "PageLayout",
  plugins: [(system) => ({ components: components(system), wrapComponents, statePlugins: { oas3: { wrapSelectors } } })],
  requestInterceptor: prepare,
  syntaxHighlight: { activated: false }, // its colors are inline, and some have too little contrast
  validatorUrl: null, // its badge would ask a server elsewhere
});
repair(place);
