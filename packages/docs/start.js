// Draws the description. Nothing is asked of anybody else: without `validatorUrl` Swagger UI would ask its makers whether
// the document is valid. Colours are off: a long number in them takes minutes.
globalThis.SwaggerUIBundle({
  dom_id: "#description",
  url: "openapi.json",
  validatorUrl: null,
  deepLinking: true,
  syntaxHighlight: { activated: false },
});
