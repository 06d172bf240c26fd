// SPDX-License-Identifier: GPL-3.0-or-later
// QR codes (ISO/IEC 18004, byte mode, error correction M), for what must not leave this browser.

const EC = [0, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const BLOCKS = [0, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];

/* Modules that are not of the patterns (annex D and table 1). */
function rawBits(v) {
	let n = (16 * v + 128) * v + 64;
	if (v >= 2) {
		const align = Math.floor(v / 7) + 2;
		n -= (25 * align - 10) * align - 55;
		if (v >= 7) n -= 36;
	}
	return n;
}
const dataBytes = v => Math.floor(rawBits(v) / 8) - EC[v] * BLOCKS[v];

function multiply(a, b) {
	let out = 0;
	for (let i = 7; i >= 0; i--) out = (out << 1) ^ ((out >>> 7) * 0x11d) ^ (((b >>> i) & 1) * a);
	return out;
}

function divisor(degree) {
	const out = new Array(degree).fill(0);
	out[degree - 1] = 1;
	let root = 1;
	for (let i = 0; i < degree; i++) {
		for (let j = 0; j < degree; j++) out[j] = multiply(out[j], root) ^ (out[j + 1] ?? 0);
		root = multiply(root, 2);
	}
	return out;
}

function remainder(data, div) {
	const out = new Array(div.length).fill(0);
	for (const b of data) {
		const factor = b ^ out.shift();
		out.push(0);
		div.forEach((c, i) => { out[i] ^= multiply(c, factor); });
	}
	return out;
}

function encode(bytes) {
	const v = EC.findIndex((_, i) => i > 0 && dataBytes(i) * 8 >= 4 + (i < 10 ? 8 : 16) + bytes.length * 8);
	if (v < 0) throw new RangeError("too long for a QR code");
	const bits = [];
	const put = (value, n) => { for (let i = n - 1; i >= 0; i--) bits.push((value >>> i) & 1); };
	put(4, 4);
	put(bytes.length, v < 10 ? 8 : 16);
	for (const b of bytes) put(b, 8);
	const room = dataBytes(v) * 8;
	put(0, Math.min(4, room - bits.length));
	while (bits.length % 8) bits.push(0);
	for (let pad = 0xec; bits.length < room; pad ^= 0xec ^ 0x11) put(pad, 8);
	const data = [];
	for (let i = 0; i < bits.length; i += 8) data.push(parseInt(bits.slice(i, i + 8).join(""), 2));
	return { v, words: interleave(v, data) };
}

function interleave(v, data) {
	const n = BLOCKS[v], ec = EC[v], raw = Math.floor(rawBits(v) / 8), short = n - (raw % n), len = Math.floor(raw / n);
	const div = divisor(ec), blocks = [];
	for (let i = 0, at = 0; i < n; i++) {
		const part = data.slice(at, at + len - ec + (i < short ? 0 : 1));
		at += part.length;
		blocks.push([part, remainder(part, div)]);
	}
	const out = [];
	for (let i = 0; i <= len - ec; i++) for (const [part] of blocks) if (i < part.length) out.push(part[i]);
	for (let i = 0; i < ec; i++) for (const [, check] of blocks) out.push(check[i]);
	return out;
}

function alignments(v) {
	if (v === 1) return [];
	const n = Math.floor(v / 7) + 2, step = Math.floor((v * 8 + n * 3 + 5) / (n * 4 - 4)) * 2, out = [6];
	for (let at = v * 4 + 10; out.length < n; at -= step) out.splice(1, 0, at);
	return out;
}

const MASKS = [(x, y) => (x + y) % 2, (x, y) => y % 2, x => x % 3, (x, y) => (x + y) % 3, (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
	(x, y) => ((x * y) % 2) + ((x * y) % 3), (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2, (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2];

function draw(v, words) {
	const size = v * 4 + 17;
	const dark = Array.from({ length: size }, () => new Array(size).fill(false)), fixed = dark.map(r => r.slice());
	const set = (x, y, is) => { dark[y][x] = Boolean(is); fixed[y][x] = true; };
	for (let i = 0; i < size; i++) {
		set(6, i, i % 2 === 0);
		set(i, 6, i % 2 === 0);
	}
	for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]])
		for (let dy = -4; dy <= 4; dy++) for (let dx = -4; dx <= 4; dx++) {
			const d = Math.max(Math.abs(dx), Math.abs(dy)), x = cx + dx, y = cy + dy;
			if (x >= 0 && x < size && y >= 0 && y < size) set(x, y, d !== 2 && d !== 4);
		}
	const at = alignments(v), last = at.length - 1;
	at.forEach((y, i) => at.forEach((x, j) => {
		if ((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)) return;
		for (let dy = -2; dy <= 2; dy++) for (let dx = -2; dx <= 2; dx++) set(x + dx, y + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
	}));
	const format = mask => {
		let rem = mask; // level M is 00
		for (let i = 0; i < 10; i++) rem = (rem << 1) ^ ((rem >>> 9) * 0x537);
		const bits = ((mask << 10) | rem) ^ 0x5412, bit = i => (bits >>> i) & 1;
		for (let i = 0; i <= 5; i++) set(8, i, bit(i));
		set(8, 7, bit(6)); set(8, 8, bit(7)); set(7, 8, bit(8));
		for (let i = 9; i < 15; i++) set(14 - i, 8, bit(i));
		for (let i = 0; i < 8; i++) set(size - 1 - i, 8, bit(i));
		for (let i = 8; i < 15; i++) set(8, size - 15 + i, bit(i));
		set(8, size - 8, true);
	};
	format(0);
	if (v >= 7) {
		let rem = v;
		for (let i = 0; i < 12; i++) rem = (rem << 1) ^ ((rem >>> 11) * 0x1f25);
		const bits = (v << 12) | rem;
		for (let i = 0; i < 18; i++) {
			const a = size - 11 + (i % 3), b = Math.floor(i / 3);
			set(a, b, (bits >>> i) & 1);
			set(b, a, (bits >>> i) & 1);
		}
	}
	let i = 0;
	for (let right = size - 1; right >= 1; right -= 2) {
		if (right === 6) right = 5;
		for (let n = 0; n < size; n++) for (let j = 0; j < 2; j++) {
			const x = right - j, y = ((right + 1) & 2) === 0 ? size - 1 - n : n;
			if (!fixed[y][x] && i < words.length * 8) {
				dark[y][x] = Boolean((words[i >>> 3] >>> (7 - (i & 7))) & 1);
				i++;
			}
		}
	}
	const flip = mask => { for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) if (!fixed[y][x] && MASKS[mask](x, y) === 0) dark[y][x] = !dark[y][x]; };
	let best = 0, least = Infinity;
	for (let mask = 0; mask < 8; mask++) {
		flip(mask);
		format(mask);
		const cost = penalty(dark);
		if (cost < least) [best, least] = [mask, cost];
		flip(mask);
	}
	flip(best);
	format(best);
	return dark;
}

/* 7.8.3.1: what scanners stumble over. */
function penalty(m) {
	const size = m.length;
	let cost = 0, count = 0;
	const lines = [...m, ...m.map((_, x) => m.map(r => r[x]))];
	for (const line of lines) {
		let run = 1;
		for (let i = 1; i <= size; i++) {
			if (i < size && line[i] === line[i - 1]) run++;
			else {
				if (run >= 5) cost += run - 2;
				run = 1;
			}
		}
		const text = line.map(d => (d ? 1 : 0)).join("");
		for (const p of ["10111010000", "00001011101"]) for (let k = text.indexOf(p); k >= 0; k = text.indexOf(p, k + 1)) cost += 40;
	}
	for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
		if (m[y][x]) count++;
		if (x && y && m[y][x] === m[y - 1][x] && m[y][x] === m[y][x - 1] && m[y][x] === m[y - 1][x - 1]) cost += 3;
	}
	return cost + Math.floor(Math.abs((count * 20) / (size * size) - 10)) * 10;
}

/* The code of a text as an SVG's address, for <img>. RangeError: it does not fit. */
export function qrImage(text) {
	const { v, words } = encode(new TextEncoder().encode(text));
	const m = draw(v, words);
	const size = m.length, path = m.map((r, y) => r.map((d, x) => (d ? `M${x + 4} ${y + 4}h1v1h-1z` : "")).join("")).join("");
	return "data:image/svg+xml," + encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size + 8} ${size + 8}" shape-rendering="crispEdges"><rect width="100%" height="100%" fill="#fff"/><path d="${path}"/></svg>`);
}

/* One that apid drew. */
export const svgImage = svg => "data:image/svg+xml," + encodeURIComponent(svg);
