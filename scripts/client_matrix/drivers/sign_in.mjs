// An OAuth client provider for a user who approves without a browser; keeps everything in memory.

import { follow } from "./visit.mjs";

const REDIRECT = "http://127.0.0.1:33419/callback";
export const signIns = { count: 0 };

export class Provider {
  redirectUrl = REDIRECT;
  clientMetadata = {
    client_name: "Client matrix",
    redirect_uris: [REDIRECT],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  #kept = {};

  clientInformation() { return this.#kept.client; }
  saveClientInformation(client) { this.#kept.client = client; }
  tokens() { return this.#kept.tokens; }
  saveTokens(tokens) { this.#kept.tokens = tokens; }
  saveCodeVerifier(verifier) { this.#kept.verifier = verifier; }
  codeVerifier() { return this.#kept.verifier; }
  async redirectToAuthorization(url) {
    signIns.count += 1;
    this.returned = await follow(url, REDIRECT);
  }
}
