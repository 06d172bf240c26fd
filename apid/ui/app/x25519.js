// SPDX-License-Identifier: GPL-3.0-or-later
// WireGuard keys, made in this browser: the private one is never sent anywhere.

const base64 = bytes => btoa(String.fromCharCode(...bytes));
const fromUrl = text => text.replace(/-/g, "+").replace(/_/g, "/") + "=".repeat((4 - (text.length % 4)) % 4);

/* Can this browser do it? (WebCrypto's X25519: Chromium 133, Firefox 130, Safari 17) */
export async function canMakeKeys() {
	try {
		await crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]);
		return true;
	} catch {
		return false;
	}
}

/* {privateKey, publicKey}, base64 as WireGuard has them. */
export async function makeKeys() {
	const pair = await crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]);
	const jwk = await crypto.subtle.exportKey("jwk", pair.privateKey);
	const publicRaw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
	// Clamped as wg genkey does (RFC 7748 section 5); the public key is the same.
	const raw = Uint8Array.from(atob(fromUrl(jwk.d)), c => c.charCodeAt(0));
	raw[0] &= 248;
	raw[31] = (raw[31] & 127) | 64;
	return { privateKey: base64(raw), publicKey: base64(publicRaw) };
}
