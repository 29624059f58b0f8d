// The API key, where the server asks for one: from this page's address, or typed in, until the tab is closed.

const NAME = "reverie-api-key";

export function key() {
  return new URLSearchParams(location.search).get("api_key") ?? sessionStorage.getItem(NAME) ?? "";
}

export function keep(typed) {
  sessionStorage.setItem(NAME, typed);
}

/** For fetch. */
export function headers() {
  return key() ? { "X-API-KEY": key() } : {};
}
