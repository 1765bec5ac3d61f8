// Parts of Swagger UI that this page replaces, and additions to others. They are React components without JSX.

const BASE_URL = "http://127.0.0.1:8080"; // server of the code samples in the document

const ASKS_FOR_KEYS = document.querySelector('meta[name="api-token"]') !== null;

const operationOf = (system, path, method) => system.specSelectors.specJson().getIn(["paths", path, method.toLowerCase()]);

/** The layout of Swagger UI without its own title, main element and list of servers, which the page has or does not need. */
function pageLayout({ React: { createElement: h } }) {
  return ({ getComponent, specSelectors }) => {
    const status = specSelectors.loadingStatus(), part = (name) => h(getComponent(name, true));
    if (status !== "success") return h("p", { role: "status" }, status === "failed" ? "The document cannot be loaded." : "Loading …");
    const description = h(getComponent("Markdown", true), { source: specSelectors.info().get("description") });
    return h("div", { className: "swagger-ui" }, part("SvgAssets"), h("div", { className: "about-api" }, description), part("AuthorizeBtnContainer"),
      part("operations"), part("Models"));
  };
}

/** The path of an operation as text: it stands inside of the button that opens the operation, where a link must not be. */
function deepLink({ React }) {
  return ({ text }) => React.createElement("span", null, text);
}

/** A file in a list of files, which Swagger UI looks for by type and format. */
function fileInput({ React }) {
  return (props) => React.createElement(props.getComponent("JsonSchema_string"), props);
}

function RequestBody(Original, system) {
  return (props) => {
    const { createElement: h, Fragment } = system.React;
    const [path, method] = props.specPath.toJS().slice(1, 3);
    const names = operationOf(system, path, method)?.get("x-sample-files")?.toJS() ?? [];
    const note = `If you choose no file, ${names.length > 1 ? "samples are" : "a sample is"} sent: ${names.join(", ")}.`;
    return h(Fragment, null, props.isExecute && names.length ? h("p", { className: "sample-note" }, note) : null, h(Original, props));
  };
}

/** "Send empty value" is not checked at first. */
function ParameterIncludeEmpty(Original, system) {
  return (props) => system.React.createElement(Original,
    { ...props, isIncludedOptions: { ...props.isIncludedOptions, shouldDispatchInit: true, defaultValue: false } });
}

function responses(Original, system) {
  return (props) => {
    const { createElement: h, Fragment } = system.React;
    const samples = operationOf(system, props.path, props.method)?.get("x-codeSamples")?.toJS() ?? [];
    const keys = ASKS_FOR_KEYS ? h("p", { className: "sample-note" }, "This server asks for a key: add the header “Authorization: Bearer KEY”.") : null;
    const group = `samples${props.method}${props.path}`; // of the details, of which one is open at a time
    const blocks = samples.map(({ label, source }, index) => h("details", { key: label, name: group, open: !index }, h("summary", null, label),
      h("pre", { tabIndex: 0, "aria-label": label }, h("code", null, source.replaceAll(BASE_URL, location.origin)))));
    return h(Fragment, null, h("div", { className: "code-samples" }, h("h4", null, "Code samples"), keys, ...blocks), h(Original, props));
  };
}

/** NDJSON is shown as the text it is, not as JSON that cannot be parsed. */
function responseBody(Original, system) {
  return (props) => {
    const lines = props.contentType?.startsWith("application/x-ndjson");
    return system.React.createElement(Original, lines ? { ...props, contentType: "text/plain" } : props);
  };
}

export const components = (system) => ({
  PageLayout: pageLayout(system), DeepLink: deepLink(system), JsonSchema_string_binary: fileInput(system),
});
export const wrapComponents = { RequestBody, ParameterIncludeEmpty, responses, responseBody };
