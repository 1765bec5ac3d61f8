// Token of the page for the API, where the server asks for keys (API_KEYS): see web/http/keys.py.

const token = document.querySelector('meta[name="api-token"]')?.content;

/** Headers of a request to the API. */
export const apiHeaders = () => (token ? { Authorization: `Bearer ${token}` } : {});
