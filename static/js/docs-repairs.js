// What the elements of Swagger UI lack for screen readers and keyboards: names, levels of headings, and focus where one can scroll.

const CONTROLS = "select, input, textarea";
const SCROLLING = "pre, .highlight-code, .table-container, .responses-inner, .model-box";

export function repair(place) {
  const mend = () => {
    for (const control of place.querySelectorAll(CONTROLS)) nameControl(control);
    for (const region of place.querySelectorAll("[role=region]:not([aria-label])")) nameRegion(region);
    for (const heading of place.querySelectorAll("h3, h4, h5")) heading.ariaLevel = String(Number(heading.localName[1]) - 1);
    for (const button of place.querySelectorAll(".close-modal")) button.ariaLabel = "Close";
    for (const area of place.querySelectorAll(SCROLLING)) focusable(area);
  };
  new MutationObserver(mend).observe(place, { childList: true, subtree: true });
  new ResizeObserver(mend).observe(place);
  mend();
}

function nameControl(control) {
  if (control.labels?.length || control.ariaLabel) return;
  const row = control.closest("[data-param-name], [data-property-name]");
  control.ariaLabel = row?.dataset.paramName ?? row?.dataset.propertyName
    ?? (control.closest(".opblock-section-request-body, .body-param") ? "Request body" : "Media type");
}

function nameRegion(region) {
  const summary = region.closest(".opblock")?.querySelector(".opblock-summary-control")?.innerText.replaceAll("\n", " ");
  region.ariaLabel = `Responses of ${summary ?? "this request"}`;
}

function focusable(area) {
  if (area.scrollWidth > area.clientWidth || area.scrollHeight > area.clientHeight) area.tabIndex = 0;
}
