// Swagger UI as it comes, but without its badge, which would ask a server elsewhere.
"use strict";

const place = document.getElementById("swagger-ui");

window.SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  deepLinking: true,
  validatorUrl: null,
});
